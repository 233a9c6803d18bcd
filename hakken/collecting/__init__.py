"""Collecting public lists of MyAnimeList, for training."""
