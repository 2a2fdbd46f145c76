"""
Cancel a job or a statement: when a task asks for it, and when a task is killed.

The same for the task that started it and for one that waits for it, on a worker and in a
triggerer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from airflow_provider_cortex.errors import RejectedError, UnreachableError
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.job import FineTuneJob
    from airflow_provider_cortex.cortex.session_settings import SessionSettings
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log

CHECK_INTERVAL_SECONDS = 2.0
"""Between two checks whether a cancel has taken effect."""

CANCEL_TIMEOUT_SECONDS = 15
"""How long the driver tries each step in a session that is opened to cancel."""

SIGKILL_WARNING_SECONDS = 4.0
"""
After so long a killed task logs that its job may still be running. Airflow 3 sends SIGKILL 5 s
after SIGTERM (``ActivitySubprocess.kill``), Airflow 2 after ``[core] killed_task_cleanup_time``,
60 s.
"""

KILLED_TASK_TIMEOUT_SECONDS = 30.0
"""How long a killed task tries to cancel, if Airflow lets it."""

LOG_FLUSH_SECONDS = 0.5
"""How long a killed task waits for its last lines to reach the log."""


def cancel_job(job_id: str, hook: CortexHook, *, log: Log, checks: int = 1) -> FineTuneJob:
    """
    Cancel a job, check whether that took effect, log the result, and return the job.

    :param checks: at most so many, until the job has finished.
    :raises CortexError: as the hook does.
    """
    from airflow_provider_cortex.cortex.owner_comment import job_and_owner

    try:
        log.info("%s", for_log(_with_retry(lambda: hook.cancel(job_id))))
    except RejectedError:
        # It may have finished just now. Cortex may reject that (guess cancel-finished).
        job = hook.describe(job_id)
        if not job.is_finished:
            raise
    else:
        job = hook.describe(job_id)
    for _ in range(checks - 1):
        if job.is_finished:
            break
        time.sleep(CHECK_INTERVAL_SECONDS)
        job = hook.describe(job_id)
    if job.is_finished:
        log.info("Fine-tuning job %s has finished: %s", job_and_owner(job), job.state)
    else:
        log.warning(
            "Cancelling fine-tuning job %s has not taken effect yet: %s",
            job_and_owner(job),
            job.state,
        )
    return job


def cancel_query(query_id: str, hook: CortexHook, *, log: Log) -> None:
    """
    Cancel a statement that runs without a session, and log Snowflake's answer.

    :raises CortexError: as the hook does.
    """
    log.info("%s", for_log(_with_retry(lambda: hook.cancel_query(query_id))))


def cancel_in_new_session(
    subject: str,
    cancel: Callable[..., object],
    cancel_id: str,
    settings: SessionSettings,
    *,
    log: Log,
) -> None:
    """
    Cancel what a killed task waited for, in a triggerer. Nothing is raised: the task ends anyway.

    The shared session of the wait may be in the middle of a statement for many tasks, so a new one
    is opened.

    :param subject: what is cancelled, as a sentence begins with it.
    :param cancel: :func:`cancel_job` or :func:`cancel_query`.
    :param cancel_id: the id of the job or query.
    """

    def work() -> None:
        from airflow_provider_cortex.hooks import CortexHook

        with CortexHook.of(settings, network_timeout=CANCEL_TIMEOUT_SECONDS) as hook:
            cancel(cancel_id, hook, log=log)

    log.info("Cancelling %s, since its task was ended", _in_sentence(subject))
    _log_errors(subject, work, log)


def cancel_before_sigkill(
    subject: str, cancel: Callable[[Log], object], *, sql: str, log: Log
) -> None:
    """
    Cancel on a worker what a killed task waited for, and log the state before Airflow's SIGKILL.

    Airflow calls ``on_kill`` in a signal handler, which may have interrupted this thread in a
    login, or while it holds a log's lock (structlog's is not re-entrant). So other threads cancel
    and log. Nothing is raised.

    :param subject: what is cancelled, as a sentence begins with it.
    :param cancel: gets the log to write to.
    :param sql: the statement that cancels it by hand.
    """
    with signal_safe_log(log) as safe_log:
        safe_log.info("The task was killed: cancelling %s", _in_sentence(subject))
        work = Thread(
            target=_log_errors, args=(subject, lambda: cancel(safe_log), safe_log), daemon=True
        )
        work.start()
        work.join(SIGKILL_WARNING_SECONDS)
        if work.is_alive():
            safe_log.warning(
                "%s may still be running: Snowflake has not answered within %.0f s, and Airflow may"
                " end this process now. To cancel it by hand: %s",
                subject,
                SIGKILL_WARNING_SECONDS,
                sql,
            )
            work.join(KILLED_TASK_TIMEOUT_SECONDS - SIGKILL_WARNING_SECONDS)


@contextmanager
def signal_safe_log(log: Log) -> Iterator[Log]:
    """Provide a log for use in a signal handler: another thread writes its lines."""
    queued = QueuedLog()

    def write() -> None:
        while (line := queued.lines.get()) is not None:
            level, message, arguments = line
            getattr(log, level)(message, *arguments)

    thread = Thread(target=write, daemon=True)
    thread.start()
    try:
        yield queued
    finally:
        queued.lines.put(None)
        thread.join(LOG_FLUSH_SECONDS)


class QueuedLog:
    """A log that keeps its lines for another thread, each as level, message and arguments."""

    def __init__(self) -> None:
        self.lines: SimpleQueue[tuple[str, str, tuple[object, ...]] | None] = SimpleQueue()

    def info(self, message: str, /, *arguments: object) -> None:
        """Keep a line about progress."""
        self.lines.put(("info", message, arguments))

    def warning(self, message: str, /, *arguments: object) -> None:
        """Keep a line that a user should look into."""
        self.lines.put(("warning", message, arguments))

    def error(self, message: str, /, *arguments: object) -> None:
        """Keep a line that a user must look into."""
        self.lines.put(("error", message, arguments))


def _with_retry(cancel: Callable[[], str]) -> str:
    """Return what a cancel returns; if the open session has ended, try again in a new one."""
    try:
        return cancel()
    except UnreachableError:
        return cancel()


def _log_errors(subject: str, work: Callable[[], object], log: Log) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - of any kind: the task ends anyway
        log.error("%s may still be running: %s", subject, error)  # noqa: TRY400 - no traceback


def _in_sentence(subject: str) -> str:
    return subject[:1].lower() + subject[1:]
