"""Trying a version in a process of its own before it is served here or published.

What passes every check of an artefact may still make whoever opens it crash, hang or fill the memory: then the child
does. It runs `ars_app.py DIRECTORY`, which serves the version's pages to itself.
"""

import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from hakken.errors import ArtefactCorrupt, StorageError
from hakken.model.store import Artefact

APPLICATION = Path(__file__).parents[2] / "ars_app.py"
FROM_OUTSIDE = frozenset((signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""Signals of a system that lacks memory, or of whoever stops the server: not the version's fault."""
SECONDS = 120
"""In which a version must be opened and give its pages."""
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Each thread of BLAS takes memory, and none is needed."""
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory in which a server's processes count requests: those of a trial are no visitor's."""
PASSED = "The version can be served."
"""What the child prints at the end. Its exit status is not enough: a server that starts workers may collect it first,
and Python then takes it for 0."""
SPARE_BYTES = 2**30
"""Memory that the child may use beside four times the size of the version's files."""


def try_version(artefact: Artefact) -> None:
    """Try a version whose checksums are right.

    Raises:
        ArtefactCorrupt: it can't be served.
        StorageError: it could not be tried: there are too few processes or too little memory.
    """
    command = [sys.executable, str(APPLICATION), str(artefact.directory)]
    environment = {name: value for name, value in os.environ.items() if name != METRICS_VARIABLE} | ONE_THREAD
    refusal = f"The version {artefact.version} can't be served"
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ArtefactCorrupt(f"{refusal}: trying it took longer than {SECONDS} seconds.") from error
    except OSError as error:
        raise StorageError(f"A version can't be tried: {error.strerror or error}.") from error
    ended, last_line = done.returncode, done.stderr.strip().rpartition("\n")[2]
    if -ended in FROM_OUTSIDE:
        raise StorageError(f"The version {artefact.version} can't be tried: its process was killed.")
    if ended == os.EX_TEMPFAIL:
        raise StorageError(last_line)
    if ended < 0:
        raise ArtefactCorrupt(f"{refusal}: it ended a process that tried it ({signal.strsignal(-ended)}).")
    if ended:
        raise ArtefactCorrupt(f"{refusal}: {last_line}")
    if PASSED not in done.stdout:
        raise StorageError(f"The version {artefact.version} can't be tried: how its process ended is unknown.")


def limit_process(directory: Path) -> None:
    """Limit memory and time of this process to what a version in a directory may need; lower limits stay."""
    size = sum(path.stat().st_size for path in directory.iterdir())
    for kind, limit in ((resource.RLIMIT_DATA, SPARE_BYTES + 4 * size), (resource.RLIMIT_CPU, SECONDS)):
        with suppress(ValueError):  # less is allowed already, or a sandbox forbids it: a trial without it is one too
            resource.setrlimit(kind, (limit, limit))
