"""What becomes of a job when the task that waits for it is killed: the same on a worker and in a triggerer."""

from __future__ import annotations

from airflow_provider_cortex.cortex.progress import Log, state
from airflow_provider_cortex.cortex.session import Session
from airflow_provider_cortex.errors import CortexError

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
            log.info("%s", hook.cancel(job_id))
            job = hook.describe(job_id)
        except CortexError as error:
            log.error("Fine-tuning job %s may run on: %s", job_id, error)  # noqa: TRY400 - told, not traced
            return
    if job.is_over:
        log.info("Fine-tuning job %s is over: %s", job_id, state(job))
    else:
        log.warning("Fine-tuning job %s was to be cancelled, and is still %s", job_id, state(job))
