"""Collecting from a stand-in: python -m benchmarks.collecting [--people 2000] [--rate 50] [--kills 20].

The collector is killed at random moments; then each list must be in the table exactly once. The pace is measured by the
stand-in's clock, memory from the first part on that the last process writes, for which it loads a library.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
from pyarrow import parquet

from benchmarks.machine import describe
from tests.standin.crowd import crowd
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID

TITLES = range(1, 400)


def fetched(standin: Standin) -> list[float]:
    """When lists were asked for."""
    return [seen.moment for seen in standin.requests if seen.path.endswith("/animelist")]


def started(standin: Standin, out: Path, names: Path, rate: int) -> subprocess.Popen[bytes]:
    """A collector in a process of its own, which takes half of twice the rate."""
    environment = {
        "MAL_CLIENT_ID": CLIENT_ID,
        "HAKKEN_MAL_URL": standin.mal_url,
        "HAKKEN_CACHE_DIR": standin.cache.name,
        "HAKKEN_SITE_RATES": f"mal={2 * rate}/s",
    }
    command = [sys.executable, "-m", "hakken", "collect", "--out", str(out), "--usernames", str(names), "--quiet"]
    return subprocess.Popen(command, env=os.environ | environment)


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


@click.command()
@click.option("--people", default=2000)
@click.option("--rate", default=50)
@click.option("--kills", default=20)
def main(people: int, rate: int, kills: int) -> None:
    """Collect, and say what came of it."""
    crowd.size, crowd.titles = people, TITLES
    chance = random.Random(kills)
    os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as directory:
        standin = Standin()
        standin.start()
        out, names = Path(directory, "collected"), Path(directory, "names")
        names.write_text("".join(f"fan-{number}\n" for number in range(1, people + 1)))
        for _ in range(kills):
            process, before = started(standin, out, names, rate), len(fetched(standin))
            while len(fetched(standin)) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(chance.random())
            process.kill()
            process.wait()
        n_parts = len([*out.rglob("part-*.parquet")])
        process, memory = started(standin, out, names, rate), list[float]()
        while process.poll() is None:
            if len([*out.rglob("part-*.parquet")]) > n_parts:
                memory.append(resident_mb(process))
            time.sleep(0.2)
        moments = fetched(standin)
        standin.stop()
        rows = Counter[str]()
        for part in (out / "lists").glob("part-*.parquet"):
            for key, listed in Counter(parquet.read_table(part)["username"].to_pylist()).items():
                if key in rows:
                    raise SystemExit("A list is twice in the table.")
                rows[key] = listed
    lists = sorted(len(crowd.list_of(f"fan-{number}") or ()) for number in range(1, people + 1))
    if sorted(rows.values()) != lists:
        raise SystemExit("A list is missing, or not whole.")
    most = max(sum(begin <= moment < begin + 1 for moment in moments) for begin in moments)
    memory = [one for one in memory if one]
    click.echo(describe("pyarrow"))
    click.echo(f"{people} lists, each once; {len(moments)} requests, {kills} kills")
    click.echo(f"at most {most} requests in any second, limit {rate}")
    click.echo(f"resident memory {memory[0]:.0f} MB after a part, {memory[-1]:.0f} MB at the end")


if __name__ == "__main__":
    main()
