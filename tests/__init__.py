"""The tests of Hakken."""
