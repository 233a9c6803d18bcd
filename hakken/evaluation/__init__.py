"""How good recommendations are for people who were not in training, beside other methods and libraries.

    RatingTable ─► protocol (split) ─► methods: Hakken, rivals ─► judging (what users are shown, what it is worth)
                                                                        │
                  page, table, plots ◄─ report, charts ◄─ results (means over salts, bootstrap intervals) ◄┘

Only the command line loads it, when it is asked to: it is heavy.
"""
