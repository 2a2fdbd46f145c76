"""What a wait says."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.waiting.progress import ProgressLog, duration, line, short_id, summary

ID = "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299"


def job(**fields: Any) -> FineTuneJob:
    """Return a job that runs."""
    return FineTuneJob.parse({"id": ID, "status": "IN_PROGRESS"} | fields)


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, /, *arguments: object) -> None:
        self.lines.append(message % arguments)

    def warning(self, message: str, /, *arguments: object) -> None:
        self.lines.append("WARNING " + message % arguments)

    def error(self, message: str, /, *arguments: object) -> None:
        self.lines.append("ERROR " + message % arguments)


def test_line() -> None:
    """A line shows how far the job is, and when it may end."""
    assert line(job(progress=0.333), elapsed=240, delay=60) == (
        "ft_6556… IN_PROGRESS ███████░░░░░░░░░░░░░ 33 %  4 min elapsed, about 8 min left;"
        " next look in 60 s"
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
def test_line_without_a_rate(fields: dict[str, Any], shown: str) -> None:
    """Without progress there is no guess at the end; an unknown status is shown as it came."""
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
def test_duration(seconds: float, text: str) -> None:
    """Durations are told in the unit in which a person would think of them."""
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
def test_short_id(job_id: str, short: str) -> None:
    """An id is shown as far as it takes to recognise it."""
    assert short_id(job_id) == short


def test_summary() -> None:
    """The last line tells what the job made, and out of what."""
    answer = Path(__file__).parents[1] / "cortex" / "records" / "describe_success_new.json"
    assert summary(FineTuneJob.parse(answer.read_text(encoding="utf-8"))) == (
        f"{ID} SUCCESS: model mydb.myschema.my_tuned_model, base model mistral-7b,"
        " 2,670,734 tokens trained, training loss 0.6478, validation loss 1.0139, took 5 min"
    )


def test_summary_of_little() -> None:
    """What Cortex did not tell is left out."""
    assert summary(job(status="SUCCESS", model="m")) == f"{ID} SUCCESS: model m"


def test_a_change_is_told_once() -> None:
    """A line at each change of status or progress, and none in between."""
    log, narrator = Lines(), ProgressLog(started_at=0.0)
    for now, progress in [(60.0, 0.1), (120.0, 0.1), (180.0, 0.2), (240.0, 0.2)]:
        narrator.tell(job(progress=progress), delay=60.0, now=now, log=log)
    assert [line.split("%")[0].split()[-1] for line in log.lines] == ["10", "20"]


def test_heartbeat() -> None:
    """A wait in which nothing changes says so every ten minutes, not more often."""
    log, narrator = Lines(), ProgressLog(started_at=0.0)
    for now in range(0, 3601, 60):
        narrator.tell(job(progress=0.5), delay=60.0, now=float(now), log=log)
    elapsed = [line.split("  ")[1].split(" elapsed")[0] for line in log.lines]
    assert elapsed == ["0 s", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h 0 min"]


def test_unknown_status_is_warned_of_once() -> None:
    """A status that nobody knows is warned of once, by its own name."""
    log, narrator = Lines(), ProgressLog(started_at=0.0)
    for now in (0.0, 60.0):
        narrator.tell(job(status="PAUSED"), delay=60.0, now=now, log=log)
    warnings = [line for line in log.lines if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "'PAUSED'" in warnings[0]
    assert ID in warnings[0]


def test_elapsed_since_the_job_began() -> None:
    """Elapsed is the job's own age where Cortex tells it, even if the wait began later."""
    log, narrator = Lines(), ProgressLog(started_at=7200.0)
    created = 1_790_000_000
    seen = job(progress=0.5, created_on=created * 1000)
    narrator.tell(seen, delay=60.0, now=created + 3600.0, log=log)
    [told] = log.lines
    assert told == (
        "ft_6556… IN_PROGRESS ██████████░░░░░░░░░░ 50 %  1 h 0 min elapsed, about 1 h 0 min left;"
        " next look in 60 s"
    )


def test_clock_that_is_behind() -> None:
    """A job that was created in the future, by this clock, was created just now."""
    log, narrator = Lines(), ProgressLog(started_at=0.0)
    created = 1_790_000_000
    narrator.tell(job(created_on=created * 1000), delay=60.0, now=created - 1.0, log=log)
    assert "  0 s elapsed" in log.lines[0]
