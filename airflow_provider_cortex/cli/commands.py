"""``airflow cortex jobs``: list, describe, watch and cancel fine-tuning jobs."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cli import exit_status, formatting
from airflow_provider_cortex.cli.exit_status import Exit
from airflow_provider_cortex.cli.job_filter import JobFilter
from airflow_provider_cortex.cli.live_display import Display, display
from airflow_provider_cortex.cli.output import Messages, Output, command
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.job_list import JobList
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.waiting import cancelling, listing
from airflow_provider_cortex.waiting.policy import PollPolicy
from airflow_provider_cortex.waiting.poller import Poller

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_cortex.hooks import CortexHook

NETWORK_TIMEOUT = 30
"""Seconds for which the driver tries a login, or a statement: somebody sits there and waits."""

LOOKS = 5
"""How many times to look at the most: whether a cancel has taken effect, or until every job is described."""

TICK = 1.0
"""Seconds after which a live bar moves."""


@command
def list_jobs(arguments: Namespace, *, clock: Callable[[], float] = time.time) -> Output:
    """Look at all jobs of the account, and return those that are wanted, the newest first."""
    overview = JobList(batch_size())
    with _hook(arguments) as hook:
        for _ in range(LOOKS):
            listing.look(hook, overview)
            if not overview.undescribed:
                break
    if overview.undescribed:
        Messages().warning(
            "%d of %d jobs could not be described: of them there is only what SHOW tells (id, status, base_model,"
            " created_on).",
            overview.undescribed,
            len(overview.jobs),
        )
    wanted = JobFilter(
        statuses=frozenset().union(*arguments.status or ()),
        model=arguments.model,
        since=arguments.since,
    )
    records = [formatting.listed(job, now=clock()) for job in overview.jobs if wanted.takes(job)]
    return Output(records=records, lines=[formatting.columns(told) for told in records])


@command
def describe_job(arguments: Namespace) -> Output:
    """Return all that Cortex tells of a job."""
    with _hook(arguments) as hook:
        return _described(hook.describe(arguments.job_id))


@command
def watch_job(
    arguments: Namespace,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    console: Console | None = None,
) -> Output:
    """
    Look at a job until it is over, and return all that Cortex tells of it then.

    :param clock: tells the time, epoch seconds.
    :param console: where to show how it goes.
    """
    console = console or Console(stderr=True)
    poller = _poller(arguments, clock=clock)
    try:
        with (
            _hook(arguments) as hook,
            display(console, job_id=arguments.job_id, clock=clock) as shown,
        ):
            job = _until_over(hook, poller, shown, sleep)
    except CortexError as error:
        if poller.last_seen is None:
            raise
        return _described(poller.last_seen, error)
    except KeyboardInterrupt:
        Messages(console).info(
            "Nobody watches fine-tuning job %s any more: it runs on. Last known state: %s.",
            arguments.job_id,
            poller.last_state,
        )
        raise
    return _described(job, exit_status.failure(job))


@command
def cancel_job(arguments: Namespace) -> Output:
    """Cancel a job, unless it is over or somebody has second thoughts, and return how it stands."""
    messages = Messages()
    if not arguments.yes and not sys.stdin.isatty():
        messages.error(
            "Nothing is cancelled: there is no terminal to ask for confirmation. Say --yes."
        )
        raise SystemExit(Exit.NOT_DONE)
    with _hook(arguments) as hook:
        job = hook.describe(arguments.job_id)
        if job.is_finished:
            messages.info("Fine-tuning job %s is over, and left as it is: %s", job.id, job.state)
        elif arguments.yes or _confirms(job):
            job = cancelling.cancel_job(job.id, hook, log=messages, looks=LOOKS)
        else:
            messages.info("Nothing is cancelled: fine-tuning job %s runs on.", job.id)
            raise SystemExit(Exit.NOT_DONE)
    record = formatting.described(job)
    line = {
        name: formatting.readable(name, record.get(name)) for name in ("id", "status", "progress")
    }
    return Output(records=[record], lines=[line], exit=exit_status.of_cancel(job))


def _hook(arguments: Namespace) -> CortexHook:
    """Return a hook on the connection that was asked for."""
    # Here, where stdout is kept for the output: Airflow 3.0 logs there when the hook is imported.
    from airflow_provider_cortex.hooks import CortexHook

    # As Airflow's own commands do (airflow connections get): else Airflow 3.3 would not look among the
    # connections in its database, but only at environment variables and in secrets backends.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    session = SessionSettings(snowflake_conn_id=arguments.conn_id).shared()
    return CortexHook.of(session, network_timeout=NETWORK_TIMEOUT)


def _poller(arguments: Namespace, *, clock: Callable[[], float]) -> Poller:
    now = clock()
    return Poller(
        job_id=arguments.job_id,
        started_at=now,
        deadline=now + (math.inf if arguments.timeout is None else arguments.timeout),
        policy=PollPolicy(interval=arguments.interval),
        clock=clock,
    )


def _until_over(
    hook: CortexHook, poller: Poller, shown: Display, sleep: Callable[[float], None]
) -> FineTuneJob:
    """Return the job once it is over; raises what ends the wait before that."""
    while True:
        try:
            job = hook.describe(poller.job_id)
        except CortexError as error:
            delay = poller.miss(error)
            shown.miss(error, delay=delay)
        else:
            going_on = poller.observe(job)
            shown.see(job, delay=going_on or 0.0)
            if going_on is None:
                return job
            delay = going_on
        for left in _ticks(delay):
            shown.tick(left=left)
            sleep(min(TICK, left))


def _ticks(seconds: float) -> Iterable[float]:
    """Yield the seconds that are left, second by second."""
    while seconds > 0:
        yield seconds
        seconds -= TICK


def _confirms(job: FineTuneJob) -> bool:
    """Ask whether to cancel the job; the question goes where messages go."""
    named = f" for model {job.model}" if job.model else ""
    try:
        answer = input(
            formatting.plain(
                f"Fine-tuning job {job.id}{named} is {job.state}. What it has cost is lost. Cancel it? (y/n)"
            )
            + " "
        )
    except EOFError:
        return False
    return answer.strip().upper() in {"Y", "YES"}


def _described(job: FineTuneJob, error: CortexError | None = None) -> Output:
    """Return the whole record, in a table field by field."""
    record = formatting.described(job)
    return Output(
        records=[record],
        lines=[
            {"field": formatting.plain(name), "value": formatting.readable(name, value)}
            for name, value in record.items()
        ],
        exit=exit_status.of_error(error) if error else Exit.DONE,
        error=error,
    )
