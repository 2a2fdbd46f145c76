"""``jobs watch``."""

import io
import re

import pytest
from rich.console import Console

from airflow_provider_cortex.emulator import Emulator
from tests.cli.runner import Clock, Run


@pytest.mark.parametrize(
    ("ends_in", "status", "message"),
    [
        ("SUCCESS", 0, ""),
        ("ERROR", 3, "failed. Cortex says: BAD_DATA: No [red]column PROMPT."),
        ("CANCELLED", 4, "was cancelled"),
    ],
)
def test_the_exit_status_is_the_jobs(
    ends_in: str, status: int, message: str, run: Run, jobs: dict[str, str]
) -> None:
    """The exit status reports how the job ended, stdout its record, and stderr its error."""
    result = run("watch", jobs[ends_in], "-o", "json")
    assert result.status == status
    assert [record["status"] for record in result.records] == [ends_in]
    assert message in result.err
    assert len(result.err.splitlines()) == (1 if message else 0)


def test_success_without_a_model_fails(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A successful job without a model is a failure, as for the sensor."""
    cortex_emulator.faults.add("record", remove=["model"])
    result = run("watch", jobs["SUCCESS"])
    assert result.status == 1
    assert "named no model" in result.err


def test_progress_goes_to_stderr(run: Run, jobs: dict[str, str]) -> None:
    """stderr has the lines of the sensor's log, and stdout the record alone."""
    result = run("watch", jobs["IN_PROGRESS"], "-o", "json", **Clock().options)
    assert (result.status, len(result.records)) == (0, 1)
    shown = re.findall(r"IN_PROGRESS [█░]+ (\d+) % .*next \w+ in 15 s", result.err)
    assert shown == ["25", "50", "75"]
    assert "\x1b" not in result.err


def test_a_terminal_has_a_spinner_below_the_progress(run: Run, jobs: dict[str, str]) -> None:
    """In a terminal, a line below the progress shows that the watch is alive, until it ends."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    job_id = jobs["IN_PROGRESS"]
    result = run("watch", job_id, "-o", "json", console=console, **Clock().options)
    assert (result.status, result.err, len(result.records)) == (0, "", 1)
    shown = re.findall(r"IN_PROGRESS [█░]+ (\d+) % .*next \w+ in 15 s", screen.getvalue())
    assert shown == ["25", "50", "75"]
    assert f"Watching {job_id}. Ctrl-C leaves it running." in screen.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_transient_error_is_retried(
    is_terminal: bool, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A watch retries through transient errors, as the sensor does, and reports each."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=2000)
    clock = Clock({100: cortex_emulator.faults.clear})
    cortex_emulator.faults.add("unreadable")
    result = run("watch", jobs["SUCCESS"], "-o", "json", console=console, **clock.options)
    assert (result.status, len(result.records)) == (0, 1)
    assert re.findall(r"Not JSON; next poll in (\d+) s", screen.getvalue()) == ["15", "30", "60"]


def test_a_lasting_transient_error_ends_the_watch(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A watch ends after 15 minutes without an answer, and says that the job may still run."""
    cortex_emulator.faults.add("unreadable")
    result = run("watch", jobs["IN_PROGRESS"], **Clock().options)
    assert (result.status, result.out) == (1, "")
    last = result.err.splitlines()[-1]
    assert f"Lost contact with fine-tuning job {jobs['IN_PROGRESS']}" in last
    assert "Watch it again" in last


def test_a_timeout_reports_the_last_known_state(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """After its timeout, a watch prints the last record, and says that the job may still run."""
    cortex_emulator.jobs.stall(jobs["IN_PROGRESS"], progress=0.5)
    clock = Clock()
    options = ("--interval", "60", "--timeout", "90.5", "-o", "json")
    result = run("watch", jobs["IN_PROGRESS"], *options, **clock.options)
    assert (result.status, clock.now - clock.started_at) == (5, 90.5)
    assert [record["progress"] for record in result.records] == [0.5]
    assert "It may still be running" in result.err.splitlines()[-1]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_ctrl_c_leaves_the_job_running(
    is_terminal: bool, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """Ctrl-C ends the watch and not the job, and the last line says so."""

    def press() -> None:
        raise KeyboardInterrupt

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=2000)
    result = run("watch", jobs["IN_PROGRESS"], console=console, **Clock({20: press}).options)
    assert (result.status, result.out, result.err) == (130, "", "")
    message = f"Stopped watching fine-tuning job {jobs['IN_PROGRESS']}; it is still running."
    assert message in screen.getvalue()
    assert "Last known state: IN_PROGRESS 50 %" in screen.getvalue()
    assert not cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"])


def test_an_unknown_status_is_warned_of_once(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A watch keeps waiting while the status is unknown, and warns of it once."""
    clock = Clock({20: cortex_emulator.faults.clear})
    cortex_emulator.faults.add("record", set={"status": "PAUSED"})
    result = run("watch", jobs["SUCCESS"], **clock.options)
    assert result.status == 0
    assert result.err.count("'PAUSED'") == 1
