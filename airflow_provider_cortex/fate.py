"""
What becomes of a job, or a statement, that is to end before its time.

It is the same for the task that cancels it, and for one that waits for it and is killed, on a worker or in a
triggerer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.progress import Log, state
from airflow_provider_cortex.cortex.session import Session
from airflow_provider_cortex.errors import CortexError, RefusedError

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

PAUSE = 2.0
"""Seconds between two looks whether a cancel has taken effect."""

TIME = 15
"""Seconds for which the driver tries each of the steps. Airflow gives the whole of it half a minute."""


def decide(job_id: str, session: Session, *, cancel: bool, log: Log) -> None:
    """
    Cancel the job if that was asked for, look whether it took effect, and say what is known.

    Nothing is raised: the task is to end all the same.

    :param session: the settings of the session. It is opened for this: the one of the wait may be in the
        middle of a statement.
    """
    if not cancel:
        log.info("Fine-tuning job %s runs on: cancel_on_kill is off.", job_id)
        return
    from airflow_provider_cortex.hooks import CortexHook

    with CortexHook.of(session, network_timeout=TIME) as hook:
        try:
            cancel_job(job_id, hook, log=log)
        except CortexError as error:
            log.error("Fine-tuning job %s may run on: %s", job_id, error)  # noqa: TRY400 - told, not traced


def cancel_query(query_id: str, session: Session, *, log: Log) -> None:
    """Cancel a statement that runs by itself, and say so; nothing is raised."""
    from airflow_provider_cortex.hooks import CortexHook

    with CortexHook.of(session, network_timeout=TIME) as hook:
        try:
            log.info("%s", hook.cancel_query(query_id))
        except CortexError as error:
            log.error("Query %s may run on: %s", query_id, error)  # noqa: TRY400 - told, not traced


def cancel_job(job_id: str, hook: CortexHook, *, log: Log, looks: int = 1) -> FineTuneJob:
    """
    Cancel the job, look whether it took effect, say what is known, and return it.

    :param looks: how many times to look at the most, until the job is over.
    :raises CortexError: as the hook does.
    """
    try:
        log.info("%s", hook.cancel(job_id))
    except RefusedError:
        # It may have ended just now. What Cortex says then is not documented.
        job = hook.describe(job_id)
        if not job.is_over:
            raise
    else:
        job = hook.describe(job_id)
    for _ in range(looks - 1):
        if job.is_over:
            break
        time.sleep(PAUSE)
        job = hook.describe(job_id)
    if job.is_over:
        log.info("Fine-tuning job %s is over: %s", job_id, state(job))
    else:
        log.warning("Fine-tuning job %s was to be cancelled, and is still %s", job_id, state(job))
    return job
