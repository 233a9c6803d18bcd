"""Sites that provide lists and facts: one module per site, and the HTTP client that they share."""
