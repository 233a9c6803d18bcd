"""When the bucket or the disk with the models fails."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.chaos.buckets import Stage, stage
from benchmarks.chaos.judging import NotHere, judged, load, serves
from benchmarks.load.client import Answers, Load
from benchmarks.load.serving import serving
from benchmarks.operations import Figure

DISK = "300m"
MET = "was damaged, and was fetched again"
"""What a worker logs that came upon a damaged version, and mended it."""
TRIES = 8


def bucket_gone(seconds: float) -> Figure:
    """Let the bucket vanish, and come back with another version."""
    with stage() as it, serving(**it.environment) as server:
        ready = serves(server.address, it.one.version)
        with load(server.address, seconds) as going:
            time.sleep(seconds / 4)
            it.bucket.go()
            answers = going.answers()
        kept = serves(server.address, it.one.version)
        it.bucket.come()
        it.bucket.publish(it.two)
        recovered = ready and kept and serves(server.address, it.two.version)
        return judged("the bucket is gone", answers, recovered=recovered, allowed=())


def bucket_damaged(seconds: float) -> Figure:
    """Let the bucket offer a version of which a file is damaged, and then a good one."""
    with stage() as it, serving(**it.environment) as server:
        ready = serves(server.address, it.one.version)
        with load(server.address, seconds) as going:
            it.bucket.put_damaged(it.two)
            answers = going.answers()
        kept = serves(server.address, it.one.version)
        for path in it.two.directory.iterdir():
            it.bucket.put(f"versions/{it.two.version}/{path.name}", path.read_bytes())
        recovered = ready and kept and serves(server.address, it.two.version)
        return judged("the bucket answers corrupt bytes", answers, recovered=recovered, allowed=())


def version_missing(seconds: float) -> Figure:
    """Let the pointer name a version that nobody uploaded."""
    with stage() as it, serving(**it.environment) as server:
        ready = serves(server.address, it.one.version)
        with load(server.address, seconds) as going:
            it.bucket.point_to("20300101T000000Z-0123456789ab", it.two.directory / "manifest.json")
            answers = going.answers()
        kept = serves(server.address, it.one.version)
        it.bucket.publish(it.two)
        recovered = ready and kept and serves(server.address, it.two.version)
        return judged("the pointer names a missing version", answers, recovered=recovered, allowed=())


def disk_full(seconds: float) -> Figure:
    """Let the cache's disk have no room for the next version, and then room again."""
    with stage() as it, _small_disk(it.cache), serving(**it.environment) as server:
        ready = serves(server.address, it.one.version)
        filler = it.cache / "filler"
        with load(server.address, seconds) as going:
            _fill(filler)
            it.bucket.publish(it.two)
            answers = going.answers()
        kept = serves(server.address, it.one.version)
        filler.unlink()
        recovered = ready and kept and serves(server.address, it.two.version)
        return judged("the disk is full", answers, recovered=recovered, allowed=())


@contextmanager
def _small_disk(place: Path) -> Iterator[None]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        raise NotHere("A disk of its own can be made by root only.")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return


def damaged_before_restart(seconds: float) -> Figure:
    """Damage the version that the machine has, and start anew: at once with the bucket, later without it."""
    with stage() as it:
        with serving(**it.environment) as server:
            ready = serves(server.address, it.one.version)
            it.bucket.publish(it.two)
            ready = ready and serves(server.address, it.two.version)
        _damage(it, it.two.version)
        with serving(**it.environment) as server:
            mended = serves(server.address, it.two.version)
        _damage(it, it.two.version)
        it.bucket.go()
        with serving(**it.environment) as server, load(server.address, seconds) as going:
            answers = going.answers()
            kept = serves(server.address, it.one.version)
        it.bucket.come()
        what = "a cached file is corrupted before a restart"
        more = "mended from the bucket" if mended else "NOT MENDED"
        more += "; without it the version before is served" if kept else "; NOT the version before without it"
        return judged(what, answers, recovered=ready and mended and kept, allowed=(), more=more)


def damaged_before_opening(seconds: float) -> Figure:
    """Damage a file of the next version as soon as it is in the cache, until a worker has come upon the damage.

    Whether it does is a matter of milliseconds: who has opened the version before keeps the file that was there.
    """
    answers, recovered, met, tries = Answers(), True, 0, 0
    while not met and tries < TRIES:
        tries += 1
        with stage() as it, serving(**it.environment) as server, ThreadPoolExecutor(1) as elsewhere:
            ready = serves(server.address, it.one.version)
            with load(server.address, seconds) as going:
                damage = elsewhere.submit(_vandalise, it, going)
                it.bucket.publish(it.two)
                answers += going.answers()
            recovered = recovered and ready and damage.result() and serves(server.address, it.two.version)
            met = server.log.read_text().count(MET)
    what = "a file is corrupted between fetch and open"
    more = f"{met or 'NO'} workers came upon it, at try {tries}"
    return judged(what, answers, recovered=recovered and met > 0, allowed=(), more=more)


def _vandalise(it: Stage, going: Load) -> bool:
    """Do the damage as soon as that is possible; whether it was while requests went on."""
    while not going.over:
        time.sleep(0.001)
        with suppress(OSError):  # just the moment in which versions are put in their place or taken away
            if any(path.parent.name == it.two.version for path in it.installed):
                _damage(it, it.two.version)
                return True
    return False


def _damage(it: Stage, version: str) -> None:
    """Put something else in a file's place: what workers have mapped stays as it is, as on a disk that went bad."""
    for path in it.installed:
        if path.parent.name == version:
            content = path.read_bytes()
            path.parent.chmod(0o755)
            other = path.with_name("other")
            other.write_bytes(content[:-8] + b"damaged!")
            shutil.move(other, path)
