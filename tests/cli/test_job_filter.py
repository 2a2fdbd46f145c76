"""Which jobs somebody wants to see."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cortex.cli.job_filter import JobFilter, beginning, statuses
from airflow_provider_cortex.cortex.job import FineTuneJob

NOW = datetime(2026, 8, 10, 12, tzinfo=UTC)


def job(**fields: Any) -> FineTuneJob:
    """Return a job."""
    return FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS"} | fields)


def test_everything_is_wanted_unless_something_is_said() -> None:
    """Without any wish every job is wanted, even one of which little is known."""
    assert JobFilter().takes(job())


@pytest.mark.parametrize(
    ("words", "status", "is_wanted"),
    [
        ("success", "SUCCESS", True),
        ("error, Success,", "SUCCESS", True),
        ("error", "SUCCESS", False),
        ("canceled", "CANCELLED", True),
        ("cancelled", "Canceled", True),
        ("paused", "Paused", True),
        ("paused", "QUEUED", False),
        ("unknown", "PAUSED", False),
    ],
)
def test_status(words: str, status: str, is_wanted: bool) -> None:
    """A status is one of those named, in capitals or not, in either spelling, and known to us or not."""
    assert JobFilter(statuses=statuses(words)).takes(job(status=status)) is is_wanted


@pytest.mark.parametrize("words", ["", " ", ",", " , "])
def test_no_status(words: str) -> None:
    """Words that name no status are refused: it would be any."""
    with pytest.raises(ValueError, match="names no status"):
        statuses(words)


@pytest.mark.parametrize(
    ("part", "is_wanted"),
    [("triage", True), ("LLAMA3.1", True), ("a\nl", False), ("mistral", False)],
)
def test_model(part: str, is_wanted: bool) -> None:
    """A part is looked for in the model's name and in the base model's, in capitals or not."""
    known = job(model="DB.AI.TRIAGE_A", base_model="llama3.1-8b")
    assert JobFilter(model=part).takes(known) is is_wanted
    assert not JobFilter(model=part).takes(job())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        (" 24h ", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("0d", NOW),
        ("2026-08-01", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-08-01T12:30", datetime(2026, 8, 1, 12, 30, tzinfo=UTC)),
        ("2026-08-01T12:30+02:00", datetime(2026, 8, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_beginning(text: str, moment: datetime) -> None:
    """A moment is told by ISO 8601, in UTC unless it says otherwise, or by how long ago it was."""
    assert beginning(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "7", "7w", "-7d", "1.5h", "\u0667d", "99999999999d", "2026-13-01"]
)
def test_no_beginning(text: str) -> None:
    """What is no moment is refused, and told."""
    with pytest.raises(ValueError, match="neither a date or time"):
        beginning(text, now=NOW)


def test_since() -> None:
    """A job is wanted that was created then or later; not one of which nobody knows when."""
    wanted = JobFilter(since=NOW)
    at = int(NOW.timestamp() * 1000)
    assert [wanted.takes(job(created_on=at + late)) for late in (-1, 0, 1)] == [False, True, True]
    assert not wanted.takes(job())
