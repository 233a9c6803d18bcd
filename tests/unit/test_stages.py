"""Where a run that was stopped goes on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from hakken.cli.stages import FILE_NAME, MAX_AGE, Stages

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_run_goes_on_within_a_day_and_then_begins_anew(tmp_path: Path) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = Stages(tmp_path)
        assert not first.is_done("collect")
        first.end("collect")
        clock.shift(MAX_AGE - 1)
        again = Stages(tmp_path)
        assert again.is_done("collect")
        assert not again.is_done("catalogue")
        assert again.seconds == MAX_AGE - 1
        clock.shift(1)
        assert not Stages(tmp_path).is_done("collect")
        clock.shift(timedelta(days=-30))  # a clock that was set back
        assert Stages(tmp_path).seconds == 0


def test_a_run_that_ended_is_forgotten(tmp_path: Path) -> None:
    stages = Stages(tmp_path)
    stages.end("collect")
    stages.forget()
    assert not Stages(tmp_path).is_done("collect")


@pytest.mark.parametrize("content", ["", "{", '{"began": "yesterday"}', "\x00" * 100])
def test_a_file_that_cannot_be_read_is_a_new_run(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    stages = Stages(tmp_path)
    stages.end("collect")
    assert Stages(tmp_path).is_done("collect")
