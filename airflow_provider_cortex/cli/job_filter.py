"""Which of an account's jobs a user wants to list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus

_AGE = re.compile(r"(\d+)([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """
    The conditions for listing a job; all of them must hold.

    :param statuses: the job has one of these (see :func:`parse_statuses`); empty means any.
    :param model: part of the model's or the base model's name, in upper or lower case.
    :param since: the job was created then or later.
    """

    statuses: frozenset[str] = frozenset()
    model: str = ""
    since: datetime | None = None

    def matches(self, job: FineTuneJob) -> bool:
        """Return whether all conditions hold; one about an unknown field does not."""
        return self._has_status(job) and self._has_model(job) and self._is_new(job)

    def _has_status(self, job: FineTuneJob) -> bool:
        return not self.statuses or _normalized(job.status_text) in self.statuses

    def _has_model(self, job: FineTuneJob) -> bool:
        # Cortex returns a model's name without the @ with which it may be given.
        part = self.model.removeprefix("@").casefold()
        return any(part in (name or "").casefold() for name in (job.model, job.base_model))

    def _is_new(self, job: FineTuneJob) -> bool:
        if self.since is None:
            return True
        return job.created_on is not None and job.created_on >= self.since


def parse_statuses(text: str) -> frozenset[str]:
    """
    Read statuses separated by commas. Unknown ones are valid: Cortex may add new statuses.

    :raises ValueError: if there is none.
    """
    statuses = frozenset(_normalized(word) for word in text.split(",") if word.strip())
    if not statuses:
        raise ValueError("must name at least one status")
    return statuses


def parse_since(text: str, *, now: datetime) -> datetime:
    """
    Read a date or time in ISO 8601 (in UTC if it has no time zone), or an age: 30m, 24h or 7d.

    :raises ValueError: if it is neither.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        message = (
            "must be a date or time (2026-08-01, 2026-08-01T12:00) or an age (30m, 24h, 7d);"
            f" got {text!r}"
        )
        raise ValueError(message) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _normalized(status: str) -> str:
    """Return a status as it is compared: Cortex spells CANCELLED in two ways."""
    known = JobStatus(status)
    return status.strip().upper() if known is JobStatus.UNKNOWN else known.value
