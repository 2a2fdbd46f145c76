"""Which of an account's jobs somebody wants to see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus

_AGO = re.compile(r"(\d+)([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """
    What a job must be to be wanted: all of it.

    :param statuses: one of these, as :func:`statuses` reads them; none is any.
    :param model: with this in the model's name or the base model's, in capitals or not.
    :param since: created then or later.
    """

    statuses: frozenset[str] = frozenset()
    model: str = ""
    since: datetime | None = None

    def takes(self, job: FineTuneJob) -> bool:
        """Return whether *job* is wanted, as far as can be told of it."""
        return self._has_status(job) and self._has_model(job) and self._is_new(job)

    def _has_status(self, job: FineTuneJob) -> bool:
        return not self.statuses or _status(job.status_text) in self.statuses

    def _has_model(self, job: FineTuneJob) -> bool:
        part = self.model.casefold()
        return any(part in (name or "").casefold() for name in (job.model, job.base_model))

    def _is_new(self, job: FineTuneJob) -> bool:
        if self.since is None:
            return True
        return job.created_on is not None and job.created_on >= self.since


def statuses(text: str) -> frozenset[str]:
    """
    Read words with commas in between: any words, since Cortex may have new ones.

    :raises ValueError: if there is none.
    """
    words = frozenset(_status(word) for word in text.split(",") if word.strip())
    if not words:
        raise ValueError("it names no status")
    return words


def beginning(text: str, *, now: datetime) -> datetime:
    """
    Read a moment: one that ISO 8601 has, in UTC unless it says otherwise, or so long ago as 30m, 24h or 7d.

    :raises ValueError: if it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        said = f"{text!r} is neither a date or time (2026-08-01, 2026-08-01T12:00) nor an age (30m, 24h, 7d)"
        raise ValueError(said) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _status(text: str) -> str:
    """Return a status as it is compared: Cortex has two spellings of one that we know."""
    known = JobStatus(text)
    return text.strip().upper() if known is JobStatus.UNKNOWN else known.value
