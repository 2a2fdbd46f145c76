"""
The triggers' one event: written and read here and nowhere else.

It crosses a process boundary, Airflow's database and, after an upgrade, a version of this package;
so it is JSON, and reading it fails closed.
"""

from __future__ import annotations

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


class Payload(dict[str, Any]):
    """
    What Airflow stores of an event.

    It also logs the event when the trigger fires: the job's queries are nothing for a log.
    """

    def __repr__(self) -> str:
        return f"<{self['kind']}>"


def query_finished(execution: Execution) -> Payload:
    """Say that a statement is over, one way or another."""
    return Payload(
        kind="query_finished",
        query_id=execution.query_id,
        status=execution.status,
        message=execution.message,
    )


def finished(job: FineTuneJob) -> Payload:
    """Say that the job is over, one way or another."""
    return Payload(kind="finished", job=job.text, query_id=job.query_id)


def stopped(error: CortexError) -> Payload:
    """Say why the wait ended before the job did."""
    match error:
        case FineTuneTimeoutError():
            return Payload(kind="timeout", waited=error.waited, last_seen=error.last_seen)
        case FineTuneStalledError():
            return Payload(
                kind="stalled", waited=error.waited, since=error.since, last_seen=error.last_seen
            )
        case ContactLostError():
            return Payload(
                kind="contact_lost",
                waited=error.waited,
                reason=error.reason,
                last_seen=error.last_seen,
            )
        case QueryTimeoutError():
            return Payload(kind="query_timeout", query_id=error.query_id, waited=error.waited)
        case QueryLostError():
            return Payload(
                kind="query_lost",
                query_id=error.query_id,
                waited=error.waited,
                reason=error.reason,
            )
        case _:
            return Payload(kind="refused", reason=str(error))


def read(payload: object, *, job_id: str) -> FineTuneJob:
    """
    Return the job that is over, or raise again what ended the wait for it.

    :raises TriggerEventError: if this package did not write *payload*, or not about this job.
    """
    match payload:
        case {"kind": "finished", "job": str(text), "query_id": str(query_id)}:
            return _finished_job(payload, text, job_id, query_id)
        case {"kind": "finished", "job": str(text)}:  # of the first version, which knew of no query
            return _finished_job(payload, text, job_id)
        case {
            "kind": "timeout",
            "waited": int(waited) | float(waited),
            "last_seen": str(last_seen),
        }:
            raise FineTuneTimeoutError(job_id, waited, last_seen)
        case {
            "kind": "stalled",
            "waited": int(waited) | float(waited),
            "since": str(since),
            "last_seen": str(last_seen),
        }:
            raise FineTuneStalledError(job_id, waited, since, last_seen)
        case {
            "kind": "contact_lost",
            "waited": int(waited) | float(waited),
            "reason": str(reason),
            "last_seen": str(last_seen),
        }:
            raise ContactLostError(job_id, waited, reason, last_seen)
        case {"kind": "refused", "reason": str(reason)}:
            raise RejectedError(reason)
        case _:
            raise TriggerEventError(job_id, payload)


def read_execution(payload: object) -> Execution:
    """
    Return the statement that is over, or raise again what ended the wait for it.

    :raises TriggerEventError: if this package did not write *payload*.
    """
    match payload:
        case {
            "kind": "query_finished",
            "query_id": str(query_id),
            "status": str(status),
            "message": str() | None as message,
        }:
            execution = Execution(query_id=query_id, status=status, message=message)
            if execution.is_finished:
                return execution
        case {
            "kind": "query_timeout",
            "query_id": str(query_id),
            "waited": int(waited) | float(waited),
        }:
            raise QueryTimeoutError(query_id, waited)
        case {
            "kind": "query_lost",
            "query_id": str(query_id),
            "waited": int(waited) | float(waited),
            "reason": str(reason),
        }:
            raise QueryLostError(query_id, waited, reason)
        case {"kind": "refused", "reason": str(reason)}:
            raise RejectedError(reason)
    raise TriggerEventError(None, payload)


def _finished_job(
    payload: object, text: str, job_id: str, query_id: str | None = None
) -> FineTuneJob:
    try:
        job = FineTuneJob.parse(text, job_id=job_id, query_id=query_id)
    except UnreadableAnswerError as error:
        raise TriggerEventError(job_id, payload) from error
    if not job.is_finished:
        raise TriggerEventError(job_id, payload)
    return job
