"""
The event with which a trigger resumes its task: written and read only here.

It travels through Airflow's database and, after an upgrade, between versions of this package. So
it is JSON, and an unknown event is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
    UnreadableAnswerError,
)

NUMBER = (int, float)

ENDS: Mapping[str, tuple[type[CortexError], Mapping[str, Any]]] = {
    "timeout": (FineTuneTimeoutError, {"waited": NUMBER, "last_seen": str}),
    "stalled": (FineTuneStalledError, {"waited": NUMBER, "since": str, "last_seen": str}),
    "contact_lost": (ContactLostError, {"waited": NUMBER, "reason": str, "last_seen": str}),
    "query_timeout": (QueryTimeoutError, {"query_id": str, "waited": NUMBER}),
    "query_lost": (QueryLostError, {"query_id": str, "waited": NUMBER, "reason": str}),
}
"""What ends a wait before its job or statement: the error, and its arguments with their types."""


class Payload(dict[str, Any]):
    """
    The content of an event.

    Airflow also logs it when the trigger fires: the job's queries do not belong in a log.
    """

    def __repr__(self) -> str:
        return f"<{self['kind']}>"


def finished(job: FineTuneJob) -> Payload:
    """Return the event of a job that has finished, successful or not."""
    return Payload(kind="finished", job=job.text, query_id=job.query_id)


def query_finished(execution: Execution) -> Payload:
    """Return the event of a statement that has finished, successful or not."""
    return Payload(
        kind="query_over",
        query_id=execution.query_id,
        status=execution.status,
        message=execution.message,
    )


def stopped(error: CortexError) -> Payload:
    """Return the event of a wait that ended before its job or statement."""
    for kind, (cls, fields) in ENDS.items():
        if isinstance(error, cls):
            return Payload(kind=kind, **{name: getattr(error, name) for name in fields})
    return Payload(kind="rejected", reason=str(error))


def read(payload: object, *, job_id: str) -> FineTuneJob:
    """
    Return the finished job, or raise what ended the wait for it.

    :raises TriggerEventError: if this package did not write *payload*, or not about this job.
    """
    match payload:
        case {"kind": "finished", "job": str(text), **others}:
            query_id = others.get("query_id")  # the first version did not record it
            known = query_id if isinstance(query_id, str) else None
            try:
                job = FineTuneJob.parse(text, job_id=job_id, query_id=known)
            except UnreadableAnswerError as error:
                raise TriggerEventError(job_id, payload) from error
            if job.is_finished:
                return job
        case {"kind": "timeout" | "stalled" | "contact_lost" | "rejected"}:
            _raise_end(payload, job_id)
    raise TriggerEventError(job_id, payload)


def read_execution(payload: object) -> Execution:
    """
    Return the finished statement, or raise what ended the wait for it.

    :raises TriggerEventError: if this package did not write *payload*.
    """
    match payload:
        case {
            "kind": "query_over",
            "query_id": str(query_id),
            "status": str(status),
            "message": str() | None as message,
        }:
            execution = Execution(query_id=query_id, status=status, message=message)
            if execution.is_finished:
                return execution
        case {"kind": "query_timeout" | "query_lost" | "rejected"}:
            _raise_end(payload)
    raise TriggerEventError(None, payload)


def _raise_end(payload: Any, *subject: str) -> None:
    """
    Raise the error in an event, if all its fields are there.

    :param subject: the error's first argument, if it is not in the event: the job's id.
    """
    if payload["kind"] == "rejected":
        if isinstance(payload.get("reason"), str):
            raise RejectedError(payload["reason"])
        return
    error, fields = ENDS[payload["kind"]]
    if all(isinstance(payload.get(name), kind) for name, kind in fields.items()):
        raise error(*subject, *(payload[name] for name in fields))
