"""What integration tests share: stored models, the sites' stand-in, buckets, and pages with fakes behind them."""

from tests.api_client import embedded_client
from tests.fake_services import app_with, client, client_without_mal, fakes
from tests.integration.bucket import bucket, emulator, faults
from tests.models import bundle, embedded, trained, versions
from tests.standin.server import standin, standin_server

__all__ = [
    "app_with",
    "bucket",
    "bundle",
    "client",
    "client_without_mal",
    "embedded",
    "embedded_client",
    "emulator",
    "fakes",
    "faults",
    "standin",
    "standin_server",
    "trained",
    "versions",
]
