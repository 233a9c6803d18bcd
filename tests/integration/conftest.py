"""What integration tests share: stored models, the sites' stand-in, buckets, and pages with fakes behind them."""

from tests.backstage import app_with, backstage, client, client_without_mal
from tests.integration.bucket import bucket, emulator, faults
from tests.models import bundle, embedded, trained, versions
from tests.programs import embedded_client
from tests.standin.fixtures import standin, standin_server

__all__ = [
    "app_with",
    "backstage",
    "bucket",
    "bundle",
    "client",
    "client_without_mal",
    "embedded",
    "embedded_client",
    "emulator",
    "faults",
    "standin",
    "standin_server",
    "trained",
    "versions",
]
