"""Measurements; `make bench` runs them. None of them is a test."""
