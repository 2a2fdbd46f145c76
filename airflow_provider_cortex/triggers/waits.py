"""
Wait in the triggerer for a fine-tuning job, or for a statement.

What only a running trigger needs is imported where it runs: a worker makes a trigger, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.checkpoint import Checkpoint, XComCheckpoint
from airflow_provider_cortex.waiting.default_times import (
    DEFAULT_CONTACT_TIMEOUT,
    DEFAULT_MAX_INTERVAL,
)
from airflow_provider_cortex.waiting.kill_check import why_not_killed
from airflow_provider_cortex.waiting.shared_client import SharedClient

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.session_settings import SessionSettings
    from airflow_provider_cortex.waiting.poller import Answer, JobPoller, Poller

MAX_OFFSET = 10.0
"""
Seconds over which sessions are spread. All polls of one session that are due share statements.
Those of several sessions, and of several triggerers, should not come at the same instant, but
while the warehouse is still awake.
"""


def offset(settings: SessionSettings) -> float:
    """Return how many seconds after the shared marks this process polls in a session."""
    session = f"{socket.gethostname()} {os.getpid()} {settings.shared_key}"
    number = int.from_bytes(blake2b(session.encode(), digest_size=4).digest())
    return number / 2**32 * MAX_OFFSET


def public_path(trigger: type[BaseTrigger]) -> str:
    """Return where Airflow finds a trigger: its name in the package, not in one of its modules."""
    module = trigger.__module__
    public = __package__ if module.startswith(f"{__package__}.") else module
    return f"{public}.{trigger.__qualname__}"


class Clock(Protocol):
    """Time, as a trigger uses it."""

    def time(self) -> float:
        """Return the time, epoch seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""


class SystemClock:
    """The machine's."""

    time = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)


class _WaitTrigger(BaseTrigger):
    """
    Poll until there is nothing more to wait for, and fire once; cancel if the task is killed.

    It is stored in Airflow's database, where its arguments can be read: they name the connection
    and hold nothing of it. Moments are absolute, so another triggerer goes on where this one was.
    """

    def __init__(
        self, subject: str, session: Mapping[str, Any], saved: Checkpoint, *, cancel_on_kill: bool
    ) -> None:
        super().__init__()
        self.session = dict(session)
        self.clock: Clock = SystemClock()
        self._subject = for_log(subject)
        self._saved = saved
        self._cancel_on_kill = cancel_on_kill
        self._killing: asyncio.Task[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return this trigger's class and arguments, for Airflow's database."""
        cls = type(self)
        arguments = {name: getattr(self, name) for name in inspect.signature(cls).parameters}
        return public_path(cls), arguments

    @abstractmethod
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, when there is nothing more to wait for."""
        yield TriggerEvent(None)

    async def on_kill(self) -> None:
        """Cancel what is waited for, if the task was killed: Airflow 3.3 and later call this."""
        # In a task of its own: until the trigger has ended, Airflow 3.3.2 cancels this one every
        # second.
        self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def cleanup(self) -> None:
        """Wait until a kill has been logged: then Airflow closes the task's log."""
        while self._killing is not None and not self._killing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._killing)

    async def _wait(
        self,
        poller: Poller[Answer],
        poll: Callable[[SharedClient], Awaitable[Answer | CortexError]],
        *,
        restore: bool,
    ) -> Answer:
        """
        Return the job or statement when it has finished.

        :param restore: whether to go on from an earlier triggerer's record already before the
            first poll.
        :raises CortexError: what ends the wait before that.
        """
        from airflow_provider_cortex.waiting.poller import FIRST_POLL_DELAY

        checkpoint = XComCheckpoint(self.task_instance, self._saved)
        poller.resume(self._saved)
        if restore:
            poller.resume(await checkpoint.load())
        with SharedClient.shared(self._settings) as client:
            # The worker polled just before it deferred, so sleep first.
            delay: float | None = poller.first_delay(soonest=FIRST_POLL_DELAY)
            while True:
                await self.clock.sleep(delay or 0.0)
                outcome = await poll(client)
                failed = isinstance(outcome, CortexError)
                if failed and not poller.has_polled:
                    poller.resume(await checkpoint.load())
                delay = poller.after_poll(outcome)
                await checkpoint.save(poller.checkpoint)
                if delay is None and not isinstance(outcome, CortexError):
                    return outcome

    async def _end(self, payload: Mapping[str, Any], checkpoint: Checkpoint) -> TriggerEvent:
        """Record that the wait has ended without a kill, and return its event."""
        if self._cancel_on_kill and compat.triggers_hear_of_kills():
            ended = replace(checkpoint, ended_at=self.clock.time())
            await XComCheckpoint(self.task_instance, self._saved).save(ended)
        return TriggerEvent(payload)

    async def _kill(self) -> None:
        if not self._cancel_on_kill:
            self.log.info("%s is still running: cancel_on_kill is off", self._subject)
            return
        reason = await why_not_killed(self.task_instance, self._saved.started_at)
        if reason is not None:
            self.log.warning("%s is not cancelled: %s", self._subject, reason)
            return
        await asyncio.to_thread(self._cancel)

    @property
    def _settings(self) -> SessionSettings:
        from airflow_provider_cortex.cortex.session_settings import SessionSettings

        return SessionSettings(**self.session)

    @abstractmethod
    def _cancel(self) -> None:
        """Cancel what is waited for, and log the result; nothing is raised."""


class CortexFineTuneTrigger(_WaitTrigger):
    """
    Poll a job until it has finished, and fire once: with the job, or with what ended the wait.

    :param finetune_job_id: the job.
    :param session: the settings of the Snowflake session
        (:meth:`~airflow_provider_cortex.cortex.session_settings.SessionSettings.to_dict`).
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when the wait ends at the latest, epoch seconds.
    :param poke_interval: seconds between two polls; None makes it depend on the job.
    :param max_poke_interval: the most seconds between two polls, if it depends on the job.
    :param expected_duration: about how many seconds the job takes from its creation.
    :param contact_timeout: seconds to keep retrying through transient errors.
    :param stall_timeout: seconds that the job may go without a change; None for ever.
    :param checkpoint: what the worker knew of the wait
        (:meth:`~airflow_provider_cortex.waiting.checkpoint.Checkpoint.to_dict`).
    :param cancel_on_kill: cancel the job when the task is marked failed or success, or cleared,
        while it is deferred (Airflow 3.3 and later; earlier ones do not call the trigger).
    """

    def __init__(
        self,
        *,
        finetune_job_id: str,
        session: Mapping[str, Any],
        started_at: float,
        deadline: float,
        poke_interval: float | None = None,
        max_poke_interval: float = DEFAULT_MAX_INTERVAL,
        expected_duration: float | None = None,
        contact_timeout: float = DEFAULT_CONTACT_TIMEOUT,
        stall_timeout: float | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__(
            f"Fine-tuning job {finetune_job_id}",
            session,
            Checkpoint.read(checkpoint) or Checkpoint(started_at=started_at),
            cancel_on_kill=cancel_on_kill,
        )
        self.finetune_job_id = finetune_job_id
        self.started_at = started_at
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.expected_duration = expected_duration
        self.contact_timeout = contact_timeout
        self.stall_timeout = stall_timeout
        self.checkpoint = checkpoint
        self.cancel_on_kill = cancel_on_kill

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, when there is nothing more to wait for."""
        from airflow_provider_cortex.waiting import event

        poller = self._poller()
        try:
            job = await self._wait(
                poller,
                lambda client: client.describe(self.finetune_job_id),
                restore=self.stall_timeout is not None,
            )
            payload = event.finished(job)
        except CortexError as error:
            payload = event.stopped(error)
        yield await self._end(payload, poller.checkpoint)

    def _poller(self) -> JobPoller:
        from airflow_provider_cortex.waiting.poll_times import PollPolicy
        from airflow_provider_cortex.waiting.poller import JobPoller
        from airflow_provider_cortex.waiting.wait_log import ProgressLog

        return JobPoller(
            job_id=self.finetune_job_id,
            started_at=self.started_at,
            deadline=self.deadline,
            policy=PollPolicy(
                interval=self.poke_interval,
                longest=self.max_poke_interval,
                expected_duration=self.expected_duration,
                offset=offset(self._settings),
            ),
            contact_timeout=self.contact_timeout,
            stall_timeout=self.stall_timeout,
            report=ProgressLog(log=self.log, started_at=self.started_at, clock=self.clock.time),
            clock=self.clock.time,
        )

    def _cancel(self) -> None:
        cancelling.cancel_in_new_session(
            self._subject,
            cancelling.cancel_job,
            self.finetune_job_id,
            self._settings.shared(),
            log=self.log,
        )


class CortexQueryTrigger(_WaitTrigger):
    """
    Poll a statement until it has finished, and fire once: with its state, or with what ended the
    wait.

    The statement runs without a session. It is cancelled when the task is killed while deferred
    (Airflow 3.3 and later).

    :param query_id: Snowflake's id of the statement.
    :param session: the settings of the Snowflake session
        (:meth:`~airflow_provider_cortex.cortex.session_settings.SessionSettings.to_dict`).
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds; None if it does not.
    :param poke_interval: seconds between two polls.
    :param contact_timeout: seconds to keep retrying through transient errors.
    """

    def __init__(
        self,
        *,
        query_id: str,
        session: Mapping[str, Any],
        started_at: float,
        deadline: float | None,
        poke_interval: float,
        contact_timeout: float = DEFAULT_CONTACT_TIMEOUT,
    ) -> None:
        super().__init__(
            f"Query {query_id}", session, Checkpoint(started_at=started_at), cancel_on_kill=True
        )
        self.query_id = query_id
        self.started_at = started_at
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.contact_timeout = contact_timeout

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, when there is nothing more to wait for."""
        from airflow_provider_cortex.waiting import event
        from airflow_provider_cortex.waiting.poll_times import PollPolicy
        from airflow_provider_cortex.waiting.poller import QueryPoller
        from airflow_provider_cortex.waiting.wait_log import FailureLog

        poller = QueryPoller(
            query_id=self.query_id,
            started_at=self.started_at,
            deadline=float("inf") if self.deadline is None else self.deadline,
            policy=PollPolicy(interval=self.poke_interval, longest=self.poke_interval),
            contact_timeout=self.contact_timeout,
            report=FailureLog(log=self.log),
            clock=self.clock.time,
        )
        self.log.info("Waiting for query %s", for_log(self.query_id))
        try:
            execution = await self._wait(
                poller, lambda client: client.execution(self.query_id), restore=False
            )
            payload = event.query_finished(execution)
        except CortexError as error:
            payload = event.stopped(error)
        yield await self._end(payload, poller.checkpoint)

    def _cancel(self) -> None:
        cancelling.cancel_in_new_session(
            self._subject,
            cancelling.cancel_query,
            self.query_id,
            self._settings.shared(),
            log=self.log,
        )
