"""Wait for a fine-tuning job in the triggerer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.waiting import cancelling, event
from airflow_provider_cortex.waiting.notes import OUT_OF_CONTACT, STANDING, Note
from airflow_provider_cortex.waiting.policy import DEFAULT_MAX_INTERVAL, PollPolicy
from airflow_provider_cortex.waiting.poller import (
    DEFAULT_CONTACT_TIMEOUT,
    TRANSIENT_ERRORS,
    LastChange,
    Outage,
    Poller,
)
from airflow_provider_cortex.waiting.progress import ProgressLog
from airflow_provider_cortex.waiting.query_poller import QueryPoller
from airflow_provider_cortex.waiting.shared_client import SharedClient
from airflow_provider_cortex.waiting.wait import Wait

FIRST_POLL_DELAY = 10.0
"""
Seconds after deferral before the first look. Airflow 3.3 may fail a task whose trigger fires before
the scheduler has taken note of the deferral (apache/airflow#71580): measured, never after 6 s.
"""


FURTHEST_OFFSET = 10.0
"""
Seconds over which triggerers are spread. All looks that are due in a triggerer travel together; those
of several should not all come at the same instant, but still while a warehouse that one woke is awake.
"""


def offset() -> float:
    """Return how many seconds after the marks that all share this process looks."""
    this_process = f"{socket.gethostname()} {os.getpid()}"
    return zlib.crc32(this_process.encode()) / 2**32 * FURTHEST_OFFSET


class Clock(Protocol):
    """What a trigger knows of time."""

    def time(self) -> float:
        """Return the time, epoch seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""


class _SystemClock:
    time = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)


class _KillableTrigger(BaseTrigger):
    """A trigger that cancels what it waits for, when its task is ended before it has fired."""

    def __init__(self, subject: str, started_at: float) -> None:
        super().__init__()
        self.started_at = started_at
        self.clock: Clock = _SystemClock()
        self._subject = subject
        self._killing: asyncio.Task[None] | None = None

    async def on_kill(self) -> None:
        """Cancel what is waited for, if the task was killed: Airflow 3.3 and later call this."""
        # A task of its own: each second until the trigger has ended, Airflow 3.3.2 cancels what runs here anew.
        self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def cleanup(self) -> None:
        """Wait until it has been told what became of it: then Airflow closes the task's log."""
        while self._killing is not None and not self._killing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._killing)

    @property
    def _is_to_cancel(self) -> bool:
        """Whether a kill is to cancel anything."""
        return True

    async def _fired(self, payload: Mapping[str, Any]) -> TriggerEvent:
        """Return the event that ends the wait."""
        if self._is_to_cancel:
            await self._noted_wait().end(self.clock.time())
        return TriggerEvent(payload)

    async def _kill(self) -> None:
        reason = await self._noted_wait().why_not_killed() if self._is_to_cancel else None
        if reason is None:
            await asyncio.to_thread(self._cancel)
        else:
            self.log.warning("%s is not cancelled: %s", self._subject, reason)

    def _noted_wait(self) -> Wait:
        return Wait(self.task_instance, self.started_at)

    def _cancel(self) -> None:
        """Cancel what is waited for, and say what became of it; nothing is raised."""
        raise NotImplementedError


class CortexFineTuneTrigger(_KillableTrigger):
    """
    Look at a job until it is over, and fire once: with the job, or with what ended the wait.

    It reads only. Its arguments are stored in Airflow's database where they can be read: they name
    the connection and hold nothing of it. Moments are absolute, so a triggerer that takes the trigger
    over goes on where the other one was.

    :param finetune_job_id: the job.
    :param session: the settings of the Snowflake session
        (:meth:`~airflow_provider_cortex.cortex.session_settings.Session.to_dict`).
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when the wait ends at the latest, epoch seconds.
    :param poke_interval: seconds between two looks; None makes it depend on the job.
    :param max_poke_interval: the most seconds between two looks, if it depends on the job.
    :param expected_duration: how many seconds the job will take from its creation, about.
    :param contact_timeout: for how many seconds on end trouble is borne.
    :param stall_timeout: for how many seconds the job may stand still; None is for ever.
    :param standing: where the worker saw it stand
        (:meth:`~airflow_provider_cortex.waiting.poller.Standing.to_dict`).
    :param cancel_on_kill: cancel the job when the task is marked failed or success, or cleared,
        while it is deferred (Airflow 3.3 and later; earlier ones do not tell a trigger).
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
        standing: Mapping[str, Any] | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__(f"Fine-tuning job {finetune_job_id}", started_at)
        self.finetune_job_id = finetune_job_id
        self.session = dict(session)
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.expected_duration = expected_duration
        self.contact_timeout = contact_timeout
        self.stall_timeout = stall_timeout
        self.standing = standing
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return this trigger's class and arguments, for Airflow's database."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "finetune_job_id": self.finetune_job_id,
                "session": self.session,
                "started_at": self.started_at,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "max_poke_interval": self.max_poke_interval,
                "expected_duration": self.expected_duration,
                "contact_timeout": self.contact_timeout,
                "stall_timeout": self.stall_timeout,
                "standing": self.standing,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, when there is nothing more to wait for."""
        try:
            payload = event.finished(await self._wait())
        except CortexError as error:
            payload = event.stopped(error)
        yield await self._fired(payload)

    @property
    def _is_to_cancel(self) -> bool:
        return self.cancel_on_kill

    def _cancel(self) -> None:
        session = SessionSettings(**self.session).shared()
        cancelling.decide(self.finetune_job_id, session, cancel=self.cancel_on_kill, log=self.log)

    async def _wait(self) -> FineTuneJob:
        """Return the job when it is over; raises what ends the wait before that."""
        poller = Poller(
            job_id=self.finetune_job_id,
            started_at=self.started_at,
            deadline=self.deadline,
            policy=PollPolicy(
                interval=self.poke_interval,
                longest=self.max_poke_interval,
                expected_duration=self.expected_duration,
                offset=offset(),
            ),
            contact_timeout=self.contact_timeout,
            stall_timeout=self.stall_timeout,
            clock=self.clock.time,
        )
        narrator = ProgressLog(self.started_at)
        contact = Note(self.task_instance, OUT_OF_CONTACT)
        stall = Note(self.task_instance, STANDING)
        poller.resume(LastChange.read(self.standing))
        if self.stall_timeout is not None:
            poller.resume(LastChange.read(await stall.recall()))
        with SharedClient.shared(SessionSettings(**self.session)) as client:
            # The worker looked just before it deferred, so this one sleeps first.
            await self.clock.sleep(poller.first_delay(soonest=FIRST_POLL_DELAY))
            while True:
                try:
                    job = await client.describe(self.finetune_job_id)
                except CortexError as error:
                    if poller.is_new:
                        poller.take_over(Outage.read(await contact.recall()))
                    delay = poller.miss(error)
                    self.log.warning("%s; next look in %.0f s", error, delay)
                    if poller.misses > 1:  # one is a blip
                        await contact.keep(poller.outage.to_dict() if poller.outage else None)
                else:
                    stood = poller.standing
                    next_look = poller.observe(job)
                    await contact.keep(None)
                    if next_look is None:
                        return job
                    if self.stall_timeout is not None and poller.standing not in {None, stood}:
                        await stall.keep(poller.standing.to_dict())
                    delay = next_look
                    narrator.tell(job, delay=delay, now=self.clock.time(), log=self.log)
                await self.clock.sleep(delay)


class CortexQueryTrigger(_KillableTrigger):
    """
    Look at a statement that runs by itself until it is over, and fire once: with that, or with what ended the wait.

    As :class:`CortexFineTuneTrigger` it reads only, and goes on where another triggerer was.

    :param query_id: Snowflake's id of the statement.
    :param session: the settings of the Snowflake session
        (:meth:`~airflow_provider_cortex.cortex.session_settings.Session.to_dict`).
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds; None if it does not.
    :param poke_interval: seconds between two looks.
    :param contact_timeout: for how many seconds on end trouble is borne.
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
        super().__init__(f"Query {query_id}", started_at)
        self.query_id = query_id
        self.session = session
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.contact_timeout = contact_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class, and the arguments that make the same trigger."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "query_id": self.query_id,
                "session": self.session,
                "started_at": self.started_at,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "contact_timeout": self.contact_timeout,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, when there is nothing more to wait for."""
        try:
            payload = event.query_finished(await self._wait())
        except CortexError as error:
            payload = event.stopped(error)
        yield await self._fired(payload)

    def _cancel(self) -> None:
        cancelling.decide_query(
            self.query_id, SessionSettings(**self.session).shared(), log=self.log
        )

    async def _wait(self) -> Execution:
        """Return the statement when it is over; raises what ends the wait before that."""
        poller = QueryPoller(
            query_id=self.query_id,
            started_at=self.started_at,
            deadline=self.deadline,
            interval=self.poke_interval,
            contact_timeout=self.contact_timeout,
            clock=self.clock.time,
        )
        contact = Note(self.task_instance, OUT_OF_CONTACT)
        delay: float | None = FIRST_POLL_DELAY
        self.log.info("Waiting for query %s", self.query_id)
        with SharedClient.shared(SessionSettings(**self.session)) as client:
            while delay is not None:
                await self.clock.sleep(delay)
                try:
                    execution = await client.execution(self.query_id)
                    delay = poller.observe(execution)
                except TRANSIENT_ERRORS as error:
                    if poller.outage is None:
                        poller.take_over(Outage.read(await contact.recall()))
                    delay = poller.miss(error)
                    self.log.warning("%s; next look in %.0f s", error, delay)
                await contact.keep(poller.outage.to_dict() if poller.outage else None)
        return execution
