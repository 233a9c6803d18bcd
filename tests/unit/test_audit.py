"""The audit of what is pinned says what it could not look at."""

import json
from typing import Any

import pytest

from tests.audit import LOCKS, ROOT, judged

SAFE = {"name": "one", "version": "1", "vulns": []}
UNSAFE = {"name": "two", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "three", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("dependencies", "unsafe", "whole", "said"),
    [
        ([SAFE], False, True, "1 packages, of which none is known to be unsafe"),
        ([SAFE, UNSAFE], True, True, "two 2: PYSEC-1"),
        ([SAFE, UNKNOWN], False, False, "Of 1 of 2 packages nothing could be learnt"),
        ([UNSAFE, UNKNOWN], True, False, "!!!!\naudit: Of 1 of 2"),
        (None, False, False, "Nothing was audited."),
    ],
)
def test_what_is_unsafe_fails_and_what_is_not_known_is_said(
    dependencies: list[dict[str, Any]] | None, unsafe: bool, whole: bool, said: str
) -> None:
    verdict = judged("" if dependencies is None else json.dumps({"dependencies": dependencies}))
    assert (verdict.unsafe, verdict.whole) == (unsafe, whole)
    assert said in verdict.words


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_with_its_hashes(lock: str) -> None:
    blocks = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    pinned = [line for line in blocks if line and not line.lstrip().startswith("#")]
    assert pinned
    assert not [line for line in pinned if "==" not in line or "--hash=sha256:" not in line]
