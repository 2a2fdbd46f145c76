"""``jobs cancel``."""

import io
import json
import re

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.cli.runner import Run


def test_cancel_prints_the_status_after_it(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A cancelled job is success; stdout has its status."""
    result = run("cancel", jobs["IN_PROGRESS"], "--yes", "-o", "json")
    assert (result.status, [record["status"] for record in result.records]) == (0, ["CANCELLED"])
    assert cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"])
    assert re.search(rf"{jobs['IN_PROGRESS']} .*: CANCELLED", result.err)


@pytest.mark.parametrize(("ended", "status"), [("SUCCESS", 6), ("ERROR", 3), ("CANCELLED", 0)])
def test_a_finished_job_is_not_cancelled(
    ended: str, status: int, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A finished job is not changed; the exit status reports how it ended."""
    result = run("cancel", jobs[ended], "-y")
    assert result.status == status
    assert re.search(rf"{jobs[ended]} +\| {ended} ", result.out)
    assert "has already finished" in result.err
    assert not any("'CANCEL'" in statement.sql for statement in cortex_emulator.statements)


def test_a_cancel_without_effect_is_reported(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel that has no effect after some polls is reported: the job may still be running."""
    monkeypatch.setattr("airflow_provider_cortex.waiting.cancelling.CHECK_INTERVAL_SECONDS", 0)
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"})
    result = run("cancel", jobs["IN_PROGRESS"], "--yes")
    assert result.status == 5
    assert "has not taken effect yet: IN_PROGRESS" in result.err


class Keyboard(io.StringIO):
    """A terminal's input."""

    def isatty(self) -> bool:
        """Return that this is a terminal."""
        return True


@pytest.mark.parametrize(
    ("typed", "status"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)]
)
def test_a_terminal_asks_for_confirmation(
    typed: str,
    status: int,
    run: Run,
    jobs: dict[str, str],
    cortex_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a terminal, cancel asks on stderr first; any answer but yes cancels nothing."""
    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    result = run("cancel", jobs["IN_PROGRESS"], "-o", "json")
    assert result.status == status
    assert f"Fine-tuning job {jobs['IN_PROGRESS']} is IN_PROGRESS 25 %." in result.err
    assert cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"]) is (status == 0)
    assert ("Nothing was cancelled" in result.err) is (status == 1)
    assert len(json.loads(result.out or "[]")) == (1 if status == 0 else 0)


def test_cancel_without_a_terminal_needs_yes(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal and without --yes, no statement is sent."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    result = run("cancel", jobs["IN_PROGRESS"])
    assert (result.status, result.out) == (1, "")
    assert "Use --yes" in result.err
    assert cortex_emulator.statements == []
