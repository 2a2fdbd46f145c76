"""How the commands write a job: as records for JSON, and as text for a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.safe_text import for_terminal
from airflow_provider_cortex.waiting.wait_log import duration

COLUMNS = (
    "id",
    "status",
    "progress",
    "duration",
    "model",
    "error",
    "created_on",
    "base_model",
    "validation_loss",
    "training_loss",
    "trained_tokens",
)
"""The columns of the table of jobs, the most important first."""

ERROR_CHARACTERS = 50
"""The length of an error in the table of jobs: ``describe`` and JSON have all of it."""

FIRST_FIELDS = (
    "id",
    "status",
    "progress",
    "error",
    "model",
    "base_model",
    "created_on",
    "finished_on",
)
"""The fields of a job's record that come first, if it has them."""


def summary_record(job: FineTuneJob, *, now: float) -> dict[str, Any]:
    """
    Return the record of a job in a list, for JSON. Times are ISO 8601 in UTC, durations seconds.

    :param now: epoch seconds.
    """
    return {
        "id": job.id,
        "status": job.status_text,
        "is_finished": job.is_finished,
        "progress": job.progress,
        "model": job.model,
        "base_model": job.base_model,
        "created_on": _iso(job.created_on),
        "finished_on": _iso(job.finished_on),
        "trained_tokens": job.trained_tokens,
        "training_loss": job.training_loss,
        "validation_loss": job.validation_loss,
        "error": job.error and job.error.text,
        "seconds_left": job.seconds_left(now=now),
        "duration": _seconds(job, now=now),
    }


def full_record(job: FineTuneJob) -> dict[str, Any]:
    """Return all fields of a job, unknown ones included, for JSON. Times are ISO 8601 in UTC."""
    record = job.to_dict()
    times = {"created_on": _iso(job.created_on), "finished_on": _iso(job.finished_on)}
    record |= {name: time for name, time in times.items() if time}
    return {name: record[name] for name in FIRST_FIELDS if name in record} | record


def table_row(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the row of the table of jobs for a :func:`summary_record`."""
    row = {name: cell(name, summary[name]) for name in COLUMNS}
    return row | {"error": textwrap.shorten(row["error"], ERROR_CHARACTERS, placeholder=" …")}


def cell(name: str, value: object) -> str:
    """Return a field's value in one line, with its unit; an unexpected value as it is."""
    if value is None or value == "":
        return ""
    try:
        text = _FORMATS[name](value)
    except (KeyError, ValueError, TypeError):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return for_terminal(text)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _seconds(job: FineTuneJob, *, now: float) -> float | None:
    """Return how many seconds the job took, or has been running."""
    if job.is_finished or job.created_on is None:
        return job.seconds
    return max(0.0, now - job.created_on.timestamp())


def _time(value: Any) -> str:
    moment = datetime.fromisoformat(value).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "progress": lambda value: f"{value * 100:.0f} %",
    "created_on": _time,
    "finished_on": _time,
    "duration": duration,
    "trained_tokens": lambda value: f"{value:,}",
    "training_loss": lambda value: f"{value:.4f}",
    "validation_loss": lambda value: f"{value:.4f}",
}
