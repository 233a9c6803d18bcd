"""How many workers a container starts, by what its control groups allow."""

import os
from pathlib import Path

import pytest

from hakken.serving import capacity
from tests.serving import ROOT

MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def _sixty_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 2**26)


@pytest.mark.parametrize(
    ("files", "workers"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 64),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"}, 4),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 2),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "500000 100000"}, 5),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": str(600 * MEGABYTE)}, 5),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"}, 64),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/",
                "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "700000",
                "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000",
            },
            7,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            64,
        ),
        ({"proc/self/cgroup": "4:memory:/x", "sys/fs/cgroup/memory/memory.limit_in_bytes": str(1024 * MEGABYTE)}, 8),
        ({"proc/self/cgroup": "nonsense\n\n0::", "sys/fs/cgroup/cpu.max": "x y z"}, 64),
    ],
)
def test_workers_are_what_the_container_allows(tmp_path: Path, files: dict[str, str], workers: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")

    assert capacity.default_workers(tmp_path) == workers


@pytest.mark.parametrize("fewer", [{"sched_getaffinity": lambda _: {0, 5, 7}}, {"cpu_count": lambda: 3}])
def test_workers_are_what_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fewer: dict[str, object]
) -> None:
    for name, of_machine in fewer.items():
        monkeypatch.setattr(os, name, of_machine)

    assert capacity.default_workers(tmp_path) == 3


def test_the_configuration_counts_so_also_where_its_text_is_executed() -> None:
    names: dict[str, object] = {}
    exec((ROOT / "gunicorn.conf.py").read_text(), names)  # noqa: S102  # our own file, as some programs read it
    assert names["workers"] == capacity.default_workers() > 2
