"""
What becomes of a job, or a statement, that is to end before its time.

It is the same for the task that cancels it, and for one that waits for it and is killed, on a worker or in a
triggerer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.ownership import owner
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import RejectedError, UnreachableError
from airflow_provider_cortex.waiting.progress import Log

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

PAUSE = 2.0
"""Seconds between two looks whether a cancel has taken effect."""

TIME = 15
"""Seconds for which the driver tries each of the steps in a session that is opened for them."""

GRACE = 4.0
"""
Seconds after which a task that is killed says that its job may run on. Airflow 3 sends SIGKILL 5 s after
SIGTERM (``ActivitySubprocess.kill``); Airflow 2 leaves it ``[core] killed_task_cleanup_time``, 60 s.
"""

MOST_TIME = 30.0
"""Seconds for which a killed task tries to cancel altogether, if Airflow lets it."""

LAST_LINES = 0.5
"""Seconds for which a killed task waits until its last lines are in the log."""


def named(job: FineTuneJob) -> str:
    """Return a job's id and, if its data says so, which Airflow task started it."""
    who = owner(job)
    return f"{job.id} (started by Airflow task {who})" if who else job.id


def decide(job_id: str, session: SessionSettings, *, cancel: bool, log: Log) -> None:
    """
    Cancel the job if that was asked for, look whether it took effect, and say what is known: in a triggerer.

    Nothing is raised: the task is to end all the same.

    :param session: the settings of the session. It is opened for this: the one of the wait may be in the
        middle of a statement, for many tasks.
    """
    if not cancel:
        log.info("Fine-tuning job %s runs on: cancel_on_kill is off.", job_id)
        return
    log.info("Cancelling fine-tuning job %s, since its task was ended", job_id)
    _try(f"Fine-tuning job {job_id}", lambda: _in_new(session, cancel_job, job_id, log), log)


def decide_query(query_id: str, session: SessionSettings, *, log: Log) -> None:
    """Cancel a statement that runs by itself, and say so: in a triggerer. Nothing is raised."""
    log.info("Cancelling query %s, since its task was ended", query_id)
    _try(f"Query {query_id}", lambda: _in_new(session, cancel_query, query_id, log), log)


def in_time(subject: str, cancel: Callable[[Log], object], *, sql: str, log: Log) -> None:
    """
    Cancel something in a worker whose task is killed, and say before Airflow's SIGKILL how far that is.

    Airflow calls ``on_kill`` in a signal's handler: it may have interrupted this thread in a login, or while it
    holds the lock of a log (structlog's cannot be taken twice). So threads do the work and the telling.
    Nothing is raised.

    :param subject: what is cancelled, as a sentence begins with it.
    :param cancel: is given the log to write to.
    :param sql: what cancels it by hand.
    """
    with aside(log) as lines:
        lines.info("The task is killed. %s is being cancelled", subject)
        work = Thread(target=_try, args=(subject, lambda: cancel(lines), lines), daemon=True)
        work.start()
        work.join(GRACE)
        if work.is_alive():
            lines.warning(
                "%s may run on: Snowflake has not answered within %.0f s, and Airflow may end this process now."
                " To cancel it by hand: %s",
                subject,
                GRACE,
                sql,
            )
            work.join(MOST_TIME - GRACE)


@contextmanager
def aside(log: Log) -> Iterator[Log]:
    """Give a log that may be written to in a signal's handler: another thread writes its lines."""
    lines = Lines()

    def write() -> None:
        while (line := lines.queue.get()) is not None:
            level, message, arguments = line
            getattr(log, level)(message, *arguments)

    thread = Thread(target=write, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        lines.queue.put(None)
        thread.join(LAST_LINES)


class Lines:
    """A log that keeps its lines, each as its level, message and arguments."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[str, str, tuple[object, ...]] | None] = SimpleQueue()

    def info(self, message: str, /, *arguments: object) -> None:
        """Keep a line about progress."""
        self.queue.put(("info", message, arguments))

    def warning(self, message: str, /, *arguments: object) -> None:
        """Keep a line about what somebody should look into."""
        self.queue.put(("warning", message, arguments))

    def error(self, message: str, /, *arguments: object) -> None:
        """Keep a line about what somebody must look into."""
        self.queue.put(("error", message, arguments))


def cancel_query(query_id: str, hook: CortexHook, *, log: Log) -> None:
    """
    Cancel a statement that runs by itself, and say so.

    :raises CortexError: as the hook does.
    """
    log.info("%s", _twice(lambda: hook.cancel_query(query_id)))


def cancel_job(job_id: str, hook: CortexHook, *, log: Log, looks: int = 1) -> FineTuneJob:
    """
    Cancel the job, look whether it took effect, say what is known, and return it.

    :param looks: how many times to look at the most, until the job is over.
    :raises CortexError: as the hook does.
    """
    try:
        log.info("%s", _twice(lambda: hook.cancel(job_id)))
    except RejectedError:
        # It may have ended just now. What Cortex says then is not documented.
        job = hook.describe(job_id)
        if not job.is_finished:
            raise
    else:
        job = hook.describe(job_id)
    for _ in range(looks - 1):
        if job.is_finished:
            break
        time.sleep(PAUSE)
        job = hook.describe(job_id)
    if job.is_finished:
        log.info("Fine-tuning job %s is over: %s", named(job), job.state)
    else:
        log.warning(
            "Fine-tuning job %s was to be cancelled, and is still %s", named(job), job.state
        )
    return job


def _twice(cancel: Callable[[], str]) -> str:
    """Return what a cancel says, from a new session if the one that was open has ended. Twice does no harm."""
    try:
        return cancel()
    except UnreachableError:
        return cancel()


def _in_new(session: SessionSettings, cancel: Callable[..., object], which: str, log: Log) -> None:
    from airflow_provider_cortex.hooks import CortexHook

    with CortexHook.of(session, network_timeout=TIME) as hook:
        cancel(which, hook, log=log)


def _try(subject: str, cancel: Callable[[], object], log: Log) -> None:
    try:
        cancel()
    except Exception as error:  # noqa: BLE001 - the task ends all the same, and this is its last word
        log.error("%s may run on: %s", subject, error)  # noqa: TRY400 - told, not traced
