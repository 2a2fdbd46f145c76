"""
The job that an earlier try of a task has started: known again, so that it is not paid for twice.

CREATE is not idempotent, and a worker may die between Cortex's answer and Airflow's XCom. What is left then
is the job itself, and on Airflow 3.3 a note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.progress import Log
from airflow_provider_cortex.cortex.request import FineTuneRequest
from airflow_provider_cortex.errors import RefusedError, UnreadableAnswerError

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

SKEW = timedelta(minutes=1)
"""By how much a worker's clock may be ahead of Snowflake's."""


@dataclass(frozen=True, slots=True)
class Intent:
    """That this task instance was about to start a job, and which one it got."""

    since: datetime
    finetune_job_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what goes into the store."""
        return {"since": self.since.timestamp(), "finetune_job_id": self.finetune_job_id}

    @classmethod
    def read(cls, noted: object) -> Intent | None:
        """Return what was noted, None if it is nothing that this version wrote."""
        match noted:
            case {
                "since": int(since) | float(since),
                "finetune_job_id": str() | None as finetune_job_id,
            }:
                return cls(datetime.fromtimestamp(since, tz=UTC), finetune_job_id)
        return None


def earliest(context: Any) -> datetime:
    """
    Return the moment before which no try of this task instance can have started a job.

    That is when its DAG run began. Airflow forgets it when the run is cleared: then it is when the run was
    due, which may be long before.
    """
    run, ti = context.get("dag_run"), context["ti"]
    started: datetime = getattr(run, "start_date", None) or ti.start_date or datetime.now(tz=UTC)
    if not getattr(run, "clear_number", 0):
        return started
    due = getattr(run, "run_after", None)  # Airflow 3
    if due is None:
        due = run.logical_date if run.run_type == "manual" else run.data_interval_end
    return min(started, due or started)


def is_first_of_many(context: Any, intent: Intent | None) -> bool:
    """
    Return whether this is a mapped task's first try.

    It cannot have started anything, and its siblings may be starting what looks the same: Cortex tells the
    name of a model when it is made, and not before.
    """
    ti = context["ti"]
    return intent is None and ti.map_index >= 0 and getattr(ti, "try_number", 1) <= 1


def find(
    request: FineTuneRequest,
    *,
    hook: CortexHook,
    since: datetime,
    intent: Intent | None,
    log: Log,
) -> list[FineTuneJob]:
    """
    Return the jobs that are what *request* asks for, the likeliest first.

    :param since: when they were created at the earliest.
    :param intent: what an earlier try has noted.
    """
    if intent is not None:
        since = max(since, intent.since - SKEW)
    since = since.replace(microsecond=since.microsecond // 1000 * 1000)  # Cortex tells milliseconds
    listed = [job.id for job in hook.show() if request.may_be(job, since=since)]
    described = list(_described(listed, hook, log))
    for job in described:
        if job.training_data is None:
            log.warning(
                "Fine-tuning job %s may be the one to start, but Cortex does not tell its data: it is not"
                " adopted",
                job.id,
            )
    return sorted(
        (job for job in described if request.is_met_by(job, since=since)),
        key=lambda job: (
            intent is None or job.id != intent.finetune_job_id,
            dict(job.options or {}) != request.options,
            job.created_on or since,
        ),
    )


def _described(job_ids: list[str], hook: CortexHook, log: Log) -> Iterable[FineTuneJob]:
    """Yield the jobs that Cortex describes: in one statement, or one by one if it refuses that."""
    if not job_ids:
        return
    try:
        answers = hook.describe_all(job_ids)
    except RefusedError:
        if len(job_ids) == 1:
            return  # it was collected just now
        for job_id in job_ids:
            yield from _described([job_id], hook, log)
        return
    for job_id, answer in zip(job_ids, answers, strict=True):
        try:
            yield FineTuneJob.parse(answer, job_id=job_id)
        except UnreadableAnswerError as error:
            log.warning("Not adopted: %s", error)
