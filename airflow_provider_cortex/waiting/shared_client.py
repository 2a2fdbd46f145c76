"""What the triggers of a triggerer share: a session, and a statement for all polls due."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_cortex.airflow_api import polling_metrics
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    CortexError,
    RejectedError,
    UnreachableError,
    error_about,
)
from airflow_provider_cortex.waiting.default_times import POLL_TIMEOUT_SECONDS
from airflow_provider_cortex.waiting.worker_pool import WorkerPool

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.finetune import JobOrError
    from airflow_provider_cortex.cortex.job import FineTuneJob
    from airflow_provider_cortex.cortex.query_status import Execution
    from airflow_provider_cortex.cortex.session_settings import SessionSettings
    from airflow_provider_cortex.hooks import CortexHook

log = logging.getLogger(__name__)

Result = TypeVar("Result")

GATHER_SECONDS = 0.05
"""Polls that fall due within so long share their statements."""

WOKEN_AT_ONCE = 20
"""How many triggers get their outcomes in one turn of the event loop."""


class SharedClient:
    """
    One Snowflake session for all waits and watchers with the same connection and settings, in one
    event loop.

    Polls that are due together share statements, of at most ``[cortex] batch_size`` jobs. The
    session is opened at the first poll, replaced when it is lost, and closed when the last wait
    or watcher has ended.

    Everything that may block (looking the connection up, logging in, statements) runs in the
    threads that all clients share, one call at a time. They are called through asgiref: only so
    can a thread of Airflow 3.0's and 3.1's triggerer look a connection up; and asgiref's default
    thread is shared by all triggers.

    Use it as ``with SharedClient.shared(settings) as client``: that is a wait. A watcher, which
    waits for no job in particular, uses :meth:`watching`.
    """

    _clients: ClassVar[dict[tuple[asyncio.AbstractEventLoop, str], SharedClient]] = {}

    def __init__(
        self, settings: SessionSettings, key: tuple[asyncio.AbstractEventLoop, str]
    ) -> None:
        self.settings = settings
        self.waits = 0
        self.watchers = 0
        self._key = key
        self._line = WorkerPool.shared().new_line(logs_in=lambda: not self._is_open)
        self._awaited: dict[str, list[asyncio.Future[JobOrError]]] = {}
        self._work: asyncio.Task[None] | None = None
        self._listing: asyncio.Task[tuple[FineTuneJob, ...] | CortexError] | None = None

    @classmethod
    def shared(cls, settings: SessionSettings) -> SharedClient:
        """Return the client of all waits with these settings in this event loop."""
        key = (asyncio.get_running_loop(), settings.shared_key)
        if key not in cls._clients:
            cls._clients[key] = cls(settings.shared(), key)
        return cls._clients[key]

    def __enter__(self) -> Self:
        self.waits += 1
        self._report_waits()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.waits -= 1
        self._close_if_unused()
        self._report_waits()

    @contextmanager
    def watching(self) -> Iterator[Self]:
        """Use the client without a wait: its metric does not count a watcher."""
        self.watchers += 1
        try:
            yield self
        finally:
            self.watchers -= 1
            self._close_if_unused()

    async def describe(self, job_id: str) -> JobOrError:
        """
        Return a job as Cortex describes it, or its error.

        A missing connection is a transient error here: it existed when the worker polled.

        :raises UnsupportedValueError: if the id cannot be sent to Snowflake.
        """
        job_id = text("finetune_job_id", job_id)
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[JobOrError] = loop.create_future()
        self._awaited.setdefault(job_id, []).append(outcome)
        if self._work is None:
            # In a context of its own: its log lines do not belong to the task that polls first.
            self._work = loop.create_task(self._poll_awaited(), context=contextvars.Context())
        return await outcome

    async def list_all(self) -> tuple[FineTuneJob, ...] | CortexError:
        """
        Return the account's jobs as SHOW lists them, or the error: one statement for all watchers
        that are due together.
        """
        if self._listing is None:
            # In a context of its own, as the polls.
            self._listing = asyncio.get_running_loop().create_task(
                self._list_all(), context=contextvars.Context()
            )
        return await asyncio.shield(self._listing)  # one watcher may end, and the others not

    async def execution(self, query_id: str) -> Execution | CortexError:
        """Return the state of a statement that runs without a session, or the error."""

        def read(hook: CortexHook) -> Execution:
            execution = hook.execution(query_id)
            if not self._line.waiting:
                hook.disconnect()
            return execution

        try:
            return await self._in_thread(read)
        except Exception as error:  # noqa: BLE001 - of any kind, as for jobs
            return _as_poll_error(error)

    async def _list_all(self) -> tuple[FineTuneJob, ...] | CortexError:
        def read(hook: CortexHook) -> tuple[FineTuneJob, ...]:
            jobs = hook.show(skip_unreadable=True)
            if not self._line.waiting:
                hook.disconnect()
            return jobs

        try:
            await asyncio.sleep(GATHER_SECONDS)
            if not self._is_open:
                await self._in_thread(lambda hook: hook.open())
            return await self._in_thread(read)
        except ConnectionNotFoundError as error:
            return error  # it may never have existed
        except Exception as error:  # of any kind, as for jobs
            if not isinstance(error, CortexError):
                log.exception("Listing fine-tuning jobs failed")
            return _as_poll_error(error)
        finally:
            self._listing = None

    async def _poll_awaited(self) -> None:
        """Poll the awaited jobs, until none is awaited."""
        try:
            while self._awaited:
                await asyncio.sleep(GATHER_SECONDS)
                await self._poll_all()
        finally:
            self._work = None
            # However this ends, no trigger may wait for ever.
            for job_id in list(self._awaited):
                self._settle_one(
                    job_id, UnreachableError(f"fine-tuning job {job_id} was not polled")
                )

    async def _poll_all(self) -> None:
        """Poll once every job that is awaited now, and give each trigger its outcome."""
        waiting = dict.fromkeys(self._awaited)
        batches: list[Iterator[dict[str, JobOrError]]] = []

        def next_batch(hook: CortexHook) -> dict[str, JobOrError] | None:
            if not batches:
                batches.append(hook.jobs().describe_in_batches(list(waiting)))
            outcomes = next(batches[0], None)
            if outcomes is not None and len(outcomes) == len(waiting):
                hook.disconnect()  # the next poll is a minute away
            return outcomes

        try:
            if not self._is_open:
                # A call of its own: few may log in at the same time, but more may poll.
                await self._in_thread(lambda hook: hook.open())
            while waiting and (outcomes := await self._in_thread(next_batch)) is not None:
                await self._settle(outcomes)
                for job_id in outcomes:
                    del waiting[job_id]
        # A secrets backend, an OAuth library or a machine without threads may raise anything: the
        # triggers must get it all the same, so that their tasks can be retried.
        except Exception as error:
            if not isinstance(error, CortexError):
                log.exception("Polling fine-tuning jobs failed")
            known = _as_poll_error(error)
            await self._settle({job_id: error_about(job_id, known) for job_id in waiting})

    async def _settle(self, outcomes: Mapping[str, JobOrError]) -> None:
        """Give triggers their outcomes, a few in each turn of the event loop."""
        for number, (job_id, outcome) in enumerate(outcomes.items(), start=1):
            self._settle_one(job_id, outcome)
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _settle_one(self, job_id: str, outcome: JobOrError) -> None:
        for future in self._awaited.pop(job_id, ()):
            if not future.done():  # its trigger may have been cancelled
                future.set_result(outcome)

    @cached_property
    def _hook(self) -> CortexHook:
        """Made in the thread: its imports would block the event loop."""
        from airflow_provider_cortex.hooks import CortexHook

        return CortexHook.of(self.settings, network_timeout=POLL_TIMEOUT_SECONDS)

    async def _in_thread(self, call: Callable[[CortexHook], Result]) -> Result:
        def work() -> Result:
            self._check_waits()  # the last one may have ended meanwhile
            return call(self._hook)

        self._check_waits()
        # Any executor will do.
        run = sync_to_async(work, thread_sensitive=False, executor=self._line)  # type: ignore[call-overload]
        result: Result = await run()
        return result

    def _check_waits(self) -> None:
        if not self.waits + self.watchers:
            raise asyncio.CancelledError

    def _report_waits(self) -> None:
        conn_id = self.settings.snowflake_conn_id
        clients = [c for c in self._clients.values() if c.settings.snowflake_conn_id == conn_id]
        polling_metrics.jobs_waiting(sum(client.waits for client in clients), conn_id=conn_id)

    def _close_if_unused(self) -> None:
        if not self.waits + self.watchers:
            self._close()

    def _close(self) -> None:
        """
        Have a thread close the session when its statement is done.

        Nothing is awaited: a trigger that is cancelled must not wait for a statement. Nothing is
        cancelled either: an unread answer of Airflow to a connection look-up ends the triggerer of
        Airflow 3.0 and 3.1.
        """
        del self._clients[self._key]
        self._awaited.clear()
        self._line.submit(self._end_session)
        self._line.end()

    @property
    def _is_open(self) -> bool:
        return "_hook" in vars(self) and self._hook.is_open

    def _end_session(self) -> None:
        if self._is_open:
            self._hook.close()


def _as_poll_error(error: Exception) -> CortexError:
    """Return an error of any kind as what it means for a poll: transient or permanent."""
    if isinstance(error, RejectedError | UnreachableError):
        return error
    # The thread has loaded it with the hook, so this does not block the event loop.
    from airflow_provider_cortex.cortex.error_codes import may_pass

    kind = UnreachableError if may_pass(error) else RejectedError
    return kind(str(error) if isinstance(error, CortexError) else repr(error))
