"""The filters of ``jobs list``."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cortex.cli.job_filter import JobFilter, parse_since, parse_statuses
from airflow_provider_cortex.cortex.job import FineTuneJob

NOW = datetime(2026, 8, 10, 12, tzinfo=UTC)


def job(**fields: Any) -> FineTuneJob:
    """Return a job."""
    return FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS"} | fields)


def test_an_empty_filter_matches_every_job() -> None:
    """Without conditions every job matches, even one with few known fields."""
    assert JobFilter().matches(job())


@pytest.mark.parametrize(
    ("words", "status", "matches"),
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
def test_statuses_match_in_any_case_and_spelling(words: str, status: str, matches: bool) -> None:
    """A status matches in upper or lower case, in both spellings, and if it is unknown."""
    job_filter = JobFilter(statuses=parse_statuses(words))
    assert job_filter.matches(job(status=status)) is matches


@pytest.mark.parametrize("words", ["", " ", ",", " , "])
def test_an_empty_list_of_statuses_is_rejected(words: str) -> None:
    """A list without statuses is rejected: it would match any."""
    with pytest.raises(ValueError, match="must name at least one status"):
        parse_statuses(words)


@pytest.mark.parametrize(
    ("part", "matches"),
    [
        ("triage", True),
        ("LLAMA3.1", True),
        ("@db.ai.triage", True),
        ("a\nl", False),
        ("mistral", False),
    ],
)
def test_part_of_a_models_name_matches_in_any_case(part: str, matches: bool) -> None:
    """A part matches in the model's or the base model's name, in upper or lower case."""
    known = job(model="DB.AI.TRIAGE_A", base_model="llama3.1-8b")
    assert JobFilter(model=part).matches(known) is matches
    assert not JobFilter(model=part).matches(job())


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
def test_since_is_a_date_a_time_or_an_age(text: str, moment: datetime) -> None:
    """--since is ISO 8601, by default in UTC, or an age."""
    assert parse_since(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "7", "7w", "-7d", "1.5h", "\u0667d", "99999999999d", "2026-13-01"]
)
def test_other_text_is_rejected_as_since(text: str) -> None:
    """Text that is neither a time nor an age is rejected and quoted."""
    with pytest.raises(ValueError, match="must be a date or time") as caught:
        parse_since(text, now=NOW)
    assert repr(text) in str(caught.value)


def test_since_matches_jobs_created_then_or_later() -> None:
    """A job without a creation time does not match."""
    job_filter = JobFilter(since=NOW)
    at = int(NOW.timestamp() * 1000)
    assert [job_filter.matches(job(created_on=at + ms)) for ms in (-1, 0, 1)] == [
        False,
        True,
        True,
    ]
    assert not job_filter.matches(job())
