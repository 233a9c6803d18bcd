"""Quality of recommendations for people who were not in training, beside other methods and libraries.

    RatingTable ─► protocol (split) ─► Hakken, other methods ─► outcomes (lists of test users, metrics)
                                                                        │
           page, plots ◄─ report, plots ◄─ table (means over salts, bootstrap intervals) ◄┘

It takes seconds to load; only the command line loads it, when needed.
"""
