"""What a task's log shows of a wait."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import UnreachableError
from airflow_provider_cortex.waiting.wait_log import (
    FailureLog,
    ProgressLog,
    duration,
    line,
    short_id,
    summary,
)
from tests.clock import Clock

ID = "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299"

CREATED = 1_790_000_000
"""Epoch seconds."""


def job(**fields: Any) -> FineTuneJob:
    """Return a running job."""
    return FineTuneJob.parse({"id": ID, "status": "IN_PROGRESS"} | fields)


class Lines:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, /, *arguments: object) -> None:
        """Keep a line about progress."""
        self.lines.append(message % arguments)

    def warning(self, message: str, /, *arguments: object) -> None:
        """Keep a warning."""
        self.lines.append("WARNING " + message % arguments)

    def error(self, message: str, /, *arguments: object) -> None:
        """Keep an error."""
        self.lines.append("ERROR " + message % arguments)


def progress_log(log: Lines, clock: Clock) -> ProgressLog:
    """Return the log of a wait that began at 0 s after the epoch."""
    return ProgressLog(log=log, started_at=0.0, clock=clock.time)


def test_a_line_shows_the_progress_and_the_time_left() -> None:
    """And when the next poll comes."""
    assert line(job(progress=0.333), elapsed=240, delay=60) == (
        "ft_6556… IN_PROGRESS ███████░░░░░░░░░░░░░ 33 %  4 min elapsed, about 8 min left;"
        " next poll in 60 s"
    )


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"status": "PENDING", "progress": 0.0}, f"PENDING {'░' * 20} 0 %  30 s elapsed; next"),
        ({}, "IN_PROGRESS  30 s elapsed; next"),
        ({"status": "in_progress"}, "IN_PROGRESS  30 s elapsed; next"),
        (
            {"status": "Paused", "progress": 1.0},
            f"Paused {'█' * 20} 100 %  30 s elapsed, about 0 s",
        ),
    ],
)
def test_without_progress_no_time_left_is_shown(fields: dict[str, Any], shown: str) -> None:
    """An unknown status is shown as Cortex wrote it."""
    assert shown in line(job(**fields), elapsed=30, delay=60)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3540, "59 min"),
        (3599, "1 h 0 min"),
        (9000, "2 h 30 min"),
    ],
)
def test_a_duration_has_the_unit_that_a_person_would_choose(seconds: float, text: str) -> None:
    """Seconds, minutes, or hours and minutes."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("job_id", "short"),
    [
        (ID, "ft_6556…"),
        ("CortexFineTuningWorkflow_6556e15c-8f12", "CortexFineTuningWorkflow_6556…"),
        ("ft_1", "ft_1"),
        ("ft_65561", "ft_65561"),
        ("ft_655612", "ft_6556…"),
        ("plain", "plain"),
    ],
)
def test_a_short_id_is_long_enough_to_recognise(job_id: str, short: str) -> None:
    """The prefix and four characters; an id that would not become shorter stays whole."""
    assert short_id(job_id) == short


def test_the_last_line_sums_the_job_up() -> None:
    """The model, what it was made of, and the figures."""
    record = Path(__file__).parents[1] / "cortex" / "records" / "describe_success_new.json"
    assert summary(FineTuneJob.parse(record.read_text(encoding="utf-8"))) == (
        f"{ID} SUCCESS: model mydb.myschema.my_tuned_model, base model mistral-7b,"
        " 2,670,734 tokens trained, training loss 0.6478, validation loss 1.0139, took 5 min"
    )


def test_the_last_line_leaves_unknown_figures_out() -> None:
    """Cortex may report the model alone."""
    assert summary(job(status="SUCCESS", model="m")) == f"{ID} SUCCESS: model m"


def test_each_change_is_logged_once() -> None:
    """A line at each change of status or progress, and none between."""
    log, clock = Lines(), Clock(0.0)
    progress = progress_log(log, clock)
    for now, done in [(60.0, 0.1), (120.0, 0.1), (180.0, 0.2), (240.0, 0.2)]:
        clock.now = now
        progress.answered(job(progress=done), delay=60.0)
    assert [line.split("%")[0].split()[-1] for line in log.lines] == ["10", "20"]


def test_a_wait_without_a_change_is_logged_every_ten_minutes() -> None:
    """A sign of life."""
    log, clock = Lines(), Clock(0.0)
    progress = progress_log(log, clock)
    for now in range(0, 3601, 60):
        clock.now = float(now)
        progress.answered(job(progress=0.5), delay=60.0)
    elapsed = [line.split("  ")[1].split(" elapsed")[0] for line in log.lines]
    assert elapsed == ["0 s", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h 0 min"]


def test_a_finished_job_is_not_logged_as_progress() -> None:
    """Its own line comes later, with the model."""
    log = Lines()
    progress_log(log, Clock(0.0)).answered(job(status="SUCCESS"), delay=0.0)
    assert log.lines == []


def test_an_unknown_status_is_warned_about_once() -> None:
    """The warning has the status as Cortex wrote it, and the job's id."""
    log, clock = Lines(), Clock(0.0)
    progress = progress_log(log, clock)
    for now in (0.0, 60.0):
        clock.now = now
        progress.answered(job(status="PAUSED"), delay=60.0)
    (warning,) = [line for line in log.lines if line.startswith("WARNING")]
    assert "'PAUSED'" in warning
    assert ID in warning


def test_the_elapsed_time_is_the_jobs_age() -> None:
    """Even if the wait began later."""
    log = Lines()
    progress = ProgressLog(log=log, started_at=CREATED + 1800.0, clock=lambda: CREATED + 3600.0)
    progress.answered(job(progress=0.5, created_on=CREATED * 1000), delay=60.0)
    (logged,) = log.lines
    assert logged == (
        "ft_6556… IN_PROGRESS ██████████░░░░░░░░░░ 50 %  1 h 0 min elapsed, about 1 h 0 min left;"
        " next poll in 60 s"
    )


def test_a_job_from_the_future_is_0_seconds_old() -> None:
    """This clock may be behind Snowflake's."""
    log = Lines()
    progress = progress_log(log, Clock(CREATED - 1.0))
    progress.answered(job(created_on=CREATED * 1000), delay=60.0)
    assert "  0 s elapsed" in log.lines[0]


@pytest.mark.parametrize("kind", [FailureLog, ProgressLog])
def test_each_failed_poll_is_a_warning(kind: type[FailureLog] | type[ProgressLog]) -> None:
    """With the error, and when the next poll comes."""
    log = Lines()
    report = FailureLog(log=log) if kind is FailureLog else progress_log(log, Clock(0.0))
    report.failed(UnreachableError("503"), delay=120.0)
    assert log.lines == ["WARNING 503; next poll in 120 s"]


def test_a_statement_that_runs_is_not_logged() -> None:
    """Only its failed polls are."""
    log = Lines()
    FailureLog(log=log).answered(object(), delay=30.0)
    assert log.lines == []
