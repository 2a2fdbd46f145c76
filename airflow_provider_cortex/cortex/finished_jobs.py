"""The jobs of an account that have newly finished: which of them are wanted, and their records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.job import TERMINAL, FineTuneJob, JobStatus
from airflow_provider_cortex.safe_text import for_log

LONG_AGO = datetime.fromtimestamp(0, tz=UTC)

MAX_KEPT = 1000
"""
So many ids are kept, or as many as there are finished jobs. A job that SHOW leaves out for a
while is not new when it is listed again.
"""

MAX_TRIES = 5
"""After so many failed tries to describe a job, it is reported as SHOW lists it."""

MAX_TEXT = 1000
"""Characters of one text of a record; the job's queries may be longer."""

MAX_RECORD = 16_000
"""Characters of a record, as JSON."""

MAX_DEPTH = 5
"""Objects and lists within each other."""

MAX_NUMBER = 2**63
"""Greater numbers cannot be held by each program on the way of an event; NaN is not less either."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """
    The conditions for reporting a finished job; all of them must hold.

    :param statuses: the job has one of these.
    :param base_model: the job's base model; None for any.
    :param model: the name of the job's model, or that name without Cortex's suffix, with its
        database and schema or without; None for any.
    """

    statuses: frozenset[JobStatus] = TERMINAL
    base_model: str | None = None
    model: str | None = None

    def may_be(self, listed: FineTuneJob) -> bool:
        """Return whether a job may be wanted, by what SHOW says of it."""
        return listed.status in self.statuses and (
            listed.base_model is None or self._has_base_model(listed)
        )

    def has(self, job: FineTuneJob) -> bool:
        """Return whether all conditions hold; one about an unknown field does not."""
        return (
            job.status in self.statuses
            and self._has_base_model(job)
            and (
                self.model is None
                or (job.model is not None and identifiers.is_version(job.model, of=self.model))
            )
        )

    def _has_base_model(self, job: FineTuneJob) -> bool:
        if self.base_model is None:
            return True
        return (job.base_model or "").casefold() == self.base_model.casefold()


# Guess finished-listed: SHOW lists a job for some time after its end. It is documented only that
# jobs may be removed from time to time. If wrong: a CortexJobTrigger misses jobs. No live check: it
# takes a job that ends, and the time until it is removed.
@dataclass
class FinishedJobs:
    """
    Which finished jobs are new.

    :param reported: the ids of those that are not; None if nothing is known yet. Then what the
        first list has finished is not new either.
    """

    reported: tuple[str, ...] | None = None
    _tries: dict[str, int] = field(default_factory=dict)
    """How many times each new job could not be described."""

    def new(self, listed: Iterable[FineTuneJob]) -> list[FineTuneJob]:
        """Return the jobs in an answer to SHOW that have newly finished, oldest first."""
        finished = {job.id: job for job in listed if job.is_finished}
        if self.reported is None:
            self.reported = tuple(finished)
        listed_now = dict.fromkeys(job_id for job_id in self.reported if job_id in finished)
        others = [job_id for job_id in self.reported if job_id not in finished]
        newest_others = others[max(0, len(self.reported) - MAX_KEPT) :]
        self.reported = (*newest_others, *listed_now)
        new = [job for job in finished.values() if job.id not in listed_now]
        return sorted(new, key=lambda job: job.created_on or LONG_AGO)

    def report(self, job: FineTuneJob) -> None:
        """Record that a job is not new any more."""
        self.reported = (*(self.reported or ()), job.id)
        self._tries.pop(job.id, None)

    def try_again(self, job: FineTuneJob) -> bool:
        """Record that a job could not be described; return whether it is worth another try."""
        tries = self._tries[job.id] = self._tries.get(job.id, 0) + 1
        return tries < MAX_TRIES


class JobRecord(dict[str, Any]):
    """
    The record of a job for an event: JSON that each database and program can hold, of bounded size.

    Airflow also logs it when the trigger fires: the job's queries do not belong in a log.
    """

    def __repr__(self) -> str:
        return for_log(f"<{self.get('id')} {self.get('status')}>")


def record(job: FineTuneJob) -> JobRecord:
    """
    Return the record of a job for an event.

    Texts are cut after :data:`MAX_TEXT` characters, and the longest fields are left out if the
    whole is still too long.
    """
    fields = {name[:MAX_TEXT]: _plain(value) for name, value in job.to_dict().items()}
    sizes = {name: len(json.dumps({name: value})) for name, value in fields.items()}
    kept, size = set(), 0
    for name in sorted(fields, key=lambda name: sizes[name]):
        size += sizes[name]
        if size <= MAX_RECORD:
            kept.add(name)
    return JobRecord({name: value for name, value in fields.items() if name in kept})


def _plain(value: object, depth: int = 0) -> Any:
    """Return a decoded value without what a database or a program on the way would reject."""
    match value:
        case str():
            return _text(value)
        case Mapping() if depth < MAX_DEPTH:
            return {_text(str(name)): _plain(each, depth + 1) for name, each in value.items()}
        case list() if depth < MAX_DEPTH:
            return [_plain(each, depth + 1) for each in value]
        case (bool() | None) as plain:
            return plain
        case (int() | float()) as number if abs(number) < MAX_NUMBER:
            return number
    return None


def _text(value: str) -> str:
    """Return a text of bounded length, without NUL and halves of surrogate pairs."""
    if len(value) > MAX_TEXT:
        value = f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
