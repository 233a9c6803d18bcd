"""Sites that know lists and facts: one module for each site, and the HTTP client that all of them share."""
