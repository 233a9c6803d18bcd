"""The command line; `hakken.cli.main` holds its commands together."""
