"""What integration tests share: stored models, the sites' stand-in, buckets, and pages with fakes behind them."""

from tests.api_client import embedded_client
from tests.fake_services import app_with, client, fakes
from tests.integration.bucket import bucket, emulator, faults, place, put
from tests.models import bundle, embedded, trained, versions
from tests.standin.fixtures import standin, standin_server

__all__ = [
    "app_with",
    "bucket",
    "bundle",
    "client",
    "embedded",
    "embedded_client",
    "emulator",
    "fakes",
    "faults",
    "place",
    "put",
    "standin",
    "standin_server",
    "trained",
    "versions",
]
