"""Command line: python -m hakken COMMAND."""

import click

from hakken import __version__
from hakken.cli.batch import predict, recommend
from hakken.cli.catalogue import catalogue
from hakken.cli.collect import collect
from hakken.cli.evaluate import evaluate
from hakken.cli.inspect import inspect
from hakken.cli.publish import publish
from hakken.cli.refresh import refresh
from hakken.cli.serve import serve
from hakken.cli.train import train
from hakken.cli.tune import tune


@click.group(commands=(serve, collect, train, tune, evaluate, recommend, predict, inspect, publish, catalogue, refresh))
@click.version_option(__version__, prog_name="hakken")
def main() -> None:
    """Hakken, an anime recommender."""
