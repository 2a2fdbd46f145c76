"""What a terminal tells of a job: as JSON can hold it, and as people read it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.job_list import row
from airflow_provider_cortex.waiting.progress import duration

COLUMNS = (
    "id",
    "status",
    "progress",
    "model",
    "base_model",
    "created_on",
    "duration",
    "trained_tokens",
    "training_loss",
    "validation_loss",
    "error",
)
"""What a table of jobs has, if there is room."""

DISPENSABLE = (
    "trained_tokens",
    "training_loss",
    "base_model",
    "validation_loss",
    "created_on",
    "error",
    "model",
    "duration",
)
"""What a terminal that is too narrow does without, one after the other."""

FOLDED = {"error": 20, "value": 40}
"""Columns that may take several lines, each with the width it should have at least, in characters."""

MOST_OF_AN_ERROR = 80
"""Characters of an error in a table of jobs: the whole of it is for whoever has the job described."""

GAP = 3
"""The width of what stands between two columns."""

FIRST = ("id", "status", "progress", "error", "model", "base_model", "created_on", "finished_on")
"""What comes first of a job's record, if it is there."""


def listed(job: FineTuneJob, *, now: float) -> dict[str, Any]:
    """
    Return what a list of jobs tells of one, for JSON; moments are ISO 8601, in UTC.

    :param now: epoch seconds.
    """
    told = row(job, now=now)
    del told["family"], told["ends_on"]  # which are for the page
    return told | {
        "seconds_left": job.seconds_left(now=now),
        "created_on": _iso(job.created_on),
        "finished_on": _iso(job.finished_on),
        "duration": _seconds(job, now=now),
    }


def described(job: FineTuneJob) -> dict[str, Any]:
    """Return the job's whole record, unknown fields and all, for JSON; moments are ISO 8601, in UTC."""
    record = job.to_dict()
    moments = {"created_on": _iso(job.created_on), "finished_on": _iso(job.finished_on)}
    record |= {name: moment for name, moment in moments.items() if moment}
    return {name: record[name] for name in FIRST if name in record} | record


def columns(told: Mapping[str, Any]) -> dict[str, str]:
    """Return a line of the table of jobs."""
    line = {name: readable(name, told[name]) for name in COLUMNS}
    return line | {"error": textwrap.shorten(line["error"], MOST_OF_AN_ERROR, placeholder=" …")}


def fitting(lines: Sequence[Mapping[str, str]], *, width: int) -> list[str]:
    """Return which columns of a table to show in a terminal of *width* characters."""
    shown = {name: _width(name, [line[name] for line in lines]) for name in lines[0]}
    for name in DISPENSABLE:
        if sum(shown.values()) + GAP * (len(shown) - 1) <= width:
            break
        shown.pop(name, None)
    return list(shown)


def heading(name: str) -> str:
    """Return what stands above a column of a table, in as many lines as it has words: figures are short."""
    return name.replace("_", "\n")


def readable(name: str, value: object) -> str:
    """Return a value in one line, as a person would have it; what nobody expects as it is."""
    if value is None or value == "":
        return ""
    try:
        written = _WRITTEN[name](value)
    except (KeyError, ValueError, TypeError):
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(written)


def plain(text: str) -> str:
    """Return text in one line, without what would steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _seconds(job: FineTuneJob, *, now: float) -> float | None:
    """Return for how many seconds the job ran, or has run by now."""
    if job.is_finished or job.created_on is None:
        return job.seconds
    return max(0.0, now - job.created_on.timestamp())


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _width(name: str, cells: Sequence[str]) -> int:
    """Return the characters that a column takes."""
    if name in FOLDED:
        return FOLDED[name] if any(cells) else len(name)
    return max(len(text) for text in (*heading(name).split(), *cells))


_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    "progress": lambda value: f"{value * 100:.0f} %",
    "created_on": _moment,
    "finished_on": _moment,
    "duration": duration,
    "trained_tokens": lambda value: f"{value:,}",
    "training_loss": lambda value: f"{value:.4f}",
    "validation_loss": lambda value: f"{value:.4f}",
}
