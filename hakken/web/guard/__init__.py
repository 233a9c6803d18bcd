"""Limits on requests: how many are answered at once, and how many one client may send."""
