"""Versions of a model: publishing them to a bucket or a directory, and keeping a local copy up to date."""
