"""Whether anything that is pinned is known to be unsafe: python -m tests.audit, a part of `make check`.

pip-audit passes in silence over what it can find nothing about, which offline is everything. Here that is said loudly.
With REQUIRE_AUDIT=1 it is a failure.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PATIENCE = 300
"""Seconds for all of it."""


class Verdict(NamedTuple):
    """What to tell whoever asked, whether anything is known to be unsafe, and whether all could be looked at."""

    words: str
    unsafe: bool
    whole: bool


def main() -> int:
    """Audit both lock files, and say what came of it; not 0 where something is unsafe."""
    listed = [word for lock in LOCKS for word in ("-r", lock)]
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    try:
        done = subprocess.run(
            [*command, "--format=json", *listed],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        verdict = judged(done.stdout)
    except subprocess.TimeoutExpired:
        verdict = judged("")
    sys.stderr.write(verdict.words)
    return int(verdict.unsafe or (not verdict.whole and os.environ.get("REQUIRE_AUDIT") == "1"))


def judged(report: str) -> Verdict:
    """Judge by what pip-audit wrote as JSON; nothing at all, if it broke off."""
    try:
        found: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return Verdict(_loudly("pip-audit could not ask anyone. Nothing was audited."), unsafe=False, whole=False)
    unsafe = [f"{one['name']} {one['version']}: {bug['id']}" for one in found for bug in one.get("vulns", ())]
    unknown = [one["name"] for one in found if "skip_reason" in one]
    words = "".join(f"audit: {line}\n" for line in unsafe)
    if unknown:
        words += _loudly(f"Of {len(unknown)} of {len(found)} packages nothing could be learnt. They were not audited.")
    elif not unsafe:
        words += f"audit: {len(found)} packages, of which none is known to be unsafe\n"
    return Verdict(words, bool(unsafe), not unknown)


def _loudly(sentence: str) -> str:
    return f"{'!' * 80}\naudit: {sentence}\n{'!' * 80}\n"


if __name__ == "__main__":
    sys.exit(main())
