"""``airflow cortex jobs``: list, describe, watch and cancel fine-tuning jobs."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cli import exit_status, job_output
from airflow_provider_cortex.cli.command_runner import Output, TerminalLog, command
from airflow_provider_cortex.cli.exit_status import ExitStatus
from airflow_provider_cortex.cli.job_filter import JobFilter
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.job_list import JobList
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.safe_text import for_terminal
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import JobPoller, poll_until_finished
from airflow_provider_cortex.waiting.wait_log import ProgressLog

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_cortex.hooks import CortexHook

NETWORK_TIMEOUT = 30
"""Seconds for a login or a statement, retries included: short, since a user is waiting."""

MAX_POLLS = 5
"""The most polls until every job is described, or a cancel has taken effect."""


@command
def list_jobs(arguments: Namespace, *, clock: Callable[[], float] = time.time) -> Output:
    """List the account's jobs that match the arguments, newest first."""
    job_list = JobList(batch_size())
    with _hook(arguments) as hook:
        for _ in range(MAX_POLLS):
            job_list.update(hook.jobs())
            if not job_list.undescribed:
                break
    if job_list.undescribed:
        TerminalLog().warning(
            "%d of %d jobs could not be described: they have only the fields that SHOW returns"
            " (id, status, base_model, created_on).",
            job_list.undescribed,
            len(job_list.jobs),
        )
    job_filter = JobFilter(
        statuses=frozenset().union(*arguments.status or ()),
        model=arguments.model,
        since=arguments.since,
    )
    now = clock()
    jobs = [job for job in job_list.jobs if job_filter.matches(job)]
    records = [job_output.summary_record(job, now=now) for job in jobs]
    return Output(records=records, rows=[job_output.table_row(record) for record in records])


@command
def describe_job(arguments: Namespace) -> Output:
    """Return everything that Cortex reports about a job."""
    with _hook(arguments) as hook:
        return _full_output(hook.describe(arguments.job_id))


@command
def watch_job(
    arguments: Namespace,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    console: Console | None = None,
) -> Output:
    """
    Poll a job until it has finished, and return everything that Cortex reports about it then.

    :param clock: returns the time, epoch seconds.
    :param console: where to log progress.
    """
    log = TerminalLog(console or Console(stderr=True))
    poller = _poller(arguments, log, clock=clock)
    # In a terminal, a spinner below the log; otherwise nothing.
    spinner = log.console.status(Text(f"Watching {arguments.job_id}. Ctrl-C leaves it running."))
    try:
        with _hook(arguments) as hook, spinner:
            job = poll_until_finished(poller, lambda: hook.describe(poller.job_id), sleep=sleep)
    except CortexError as error:
        if poller.last_seen is None:
            raise
        return _full_output(poller.last_seen, error)
    except KeyboardInterrupt:
        log.info(
            "Stopped watching fine-tuning job %s; it is still running. Last known state: %s.",
            arguments.job_id,
            poller.last_state,
        )
        raise
    return _full_output(job, exit_status.error_of(job))


@command
def cancel_job(arguments: Namespace) -> Output:
    """Cancel a running job once the user has confirmed it, and return the job's status."""
    log = TerminalLog()
    if not arguments.yes and not sys.stdin.isatty():
        log.error("Nothing was cancelled: confirmation needs a terminal. Use --yes to skip it.")
        raise SystemExit(ExitStatus.NOT_DONE)
    with _hook(arguments) as hook:
        job = hook.describe(arguments.job_id)
        if job.is_finished:
            log.info("Fine-tuning job %s has already finished: %s", job.id, job.state)
        elif arguments.yes or _is_confirmed(job):
            job = cancelling.cancel_job(job.id, hook, log=log, checks=MAX_POLLS)
        else:
            log.info("Nothing was cancelled: fine-tuning job %s is still running.", job.id)
            raise SystemExit(ExitStatus.NOT_DONE)
    record = job_output.full_record(job)
    row = {name: job_output.cell(name, record.get(name)) for name in ("id", "status", "progress")}
    return Output(records=[record], rows=[row], exit_status=exit_status.after_cancel(job))


def _hook(arguments: Namespace) -> CortexHook:
    """Return a hook for ``--conn-id``."""
    # Imported here, where stdout is kept for the output: Airflow 3.0 logs during this import.
    from airflow_provider_cortex.hooks import CortexHook

    compat.find_connections_in_database()
    session = SessionSettings(snowflake_conn_id=arguments.conn_id).shared()
    return CortexHook.of(session, network_timeout=NETWORK_TIMEOUT)


def _poller(arguments: Namespace, log: TerminalLog, *, clock: Callable[[], float]) -> JobPoller:
    now = clock()
    return JobPoller(
        job_id=arguments.job_id,
        started_at=now,
        deadline=now + (math.inf if arguments.timeout is None else arguments.timeout),
        policy=PollPolicy(interval=arguments.interval),
        report=ProgressLog(log=log, started_at=now, clock=clock),
        clock=clock,
    )


def _is_confirmed(job: FineTuneJob) -> bool:
    """Ask the user whether to cancel the job; the question goes to stderr."""
    model = f" for model {job.model}" if job.model else ""
    question = for_terminal(
        f"Fine-tuning job {job.id}{model} is {job.state}. Its costs so far are lost."
        " Cancel it? (y/n)"
    )
    try:
        answer = input(f"{question} ")
    except EOFError:
        return False
    return answer.strip().upper() in {"Y", "YES"}


def _full_output(job: FineTuneJob, error: CortexError | None = None) -> Output:
    """Return the whole record; its table has a row for each field."""
    record = job_output.full_record(job)
    return Output(
        records=[record],
        rows=[
            {"field": for_terminal(name), "value": job_output.cell(name, value)}
            for name, value in record.items()
        ],
        exit_status=exit_status.after_error(error) if error else ExitStatus.DONE,
        error=error,
    )
