"""What a triggerer asks Cortex with: one session, and one statement for all jobs that are due."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from airflow.providers.common.compat.sdk import conf
from asgiref.sync import sync_to_async

from airflow_provider_cortex import metrics
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.session import Session
from airflow_provider_cortex.errors import (
    CortexError,
    RefusedError,
    UnreachableError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Outcome = FineTuneJob | Exception
"""What came of looking at a job."""

NETWORK_TIMEOUT = 60
"""Seconds for which the driver tries one look: a look that hangs is a look that failed."""

BATCH_SIZE = 200
"""The most jobs in one statement, unless ``[cortex] batch_size`` says otherwise."""

GATHER = 0.05
"""Seconds in which calls that fall due together are gathered, to travel together."""

WOKEN_AT_ONCE = 20
"""How many triggers get their answers in one turn of the event loop."""


class CortexClient:
    """
    One Snowflake session for every job that waits with the same connection and settings.

    Calls that come together travel in one statement, of at most ``batch_size`` jobs. The session is
    opened at the first call, replaced when it is lost, and ended when the last one who waits has left.

    Everything that may block (the look-up of the connection, the login, the statements) runs in
    one thread of this client's own, through asgiref: it is asgiref that lets Airflow 3.0 and 3.1 look a
    connection up from a thread of the triggerer, and its default thread is shared by every trigger.

    Use it as ``with CortexClient.shared(session) as client``.
    """

    _clients: ClassVar[dict[tuple[asyncio.AbstractEventLoop, str], CortexClient]] = {}

    def __init__(self, session: Session, key: tuple[asyncio.AbstractEventLoop, str]) -> None:
        self._session = session
        self._key = key
        self._batch_size = conf.getint("cortex", "batch_size", fallback=BATCH_SIZE)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-client")
        self._users = 0
        self._awaited: dict[str, list[asyncio.Future[FineTuneJob]]] = {}
        self._suspects: dict[str, None] = {}  # a set that keeps its order
        self._work: asyncio.Task[None] | None = None

    @classmethod
    def shared(cls, session: Session) -> CortexClient:
        """Return the client of all who wait with the same settings in this event loop."""
        session = session.shared()
        key = (asyncio.get_running_loop(), json.dumps(session.to_dict(), sort_keys=True))
        if key not in cls._clients:
            cls._clients[key] = cls(session, key)
        return cls._clients[key]

    def __enter__(self) -> Self:
        self._count(+1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._count(-1)
        if not self._users:
            self._close()

    async def describe(self, job_id: str) -> FineTuneJob:
        """
        Return what Cortex knows of the job; raises as :class:`CortexHook` does, but for one.

        A connection that is missing was there when the worker looked: that passes, too.
        """
        answer: asyncio.Future[FineTuneJob] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(job_id, []).append(answer)
        if self._work is None:
            # In a context of its own: what it logs is not for the task that happens to come first.
            self._work = asyncio.get_running_loop().create_task(
                self._answer_all(), context=contextvars.Context()
            )
        return await answer

    async def cancel(self, job_id: str) -> str:
        """Cancel the job and return Cortex's sentence about it."""
        return await self._in_thread(lambda hook: hook.cancel(job_id))

    async def _answer_all(self) -> None:
        """Look at the jobs that somebody asks for, until nobody does."""
        try:
            while self._awaited:
                await asyncio.sleep(GATHER)
                await self._round()
        finally:
            self._work = None

    async def _round(self) -> None:
        """Look once at every job that is asked for."""
        others = [job_id for job_id in self._awaited if job_id not in self._suspects]
        suspects = [[job_id] for job_id in self._suspects if job_id in self._awaited]
        try:
            for job_ids in [others, *suspects]:
                await self._look(job_ids)
        except CortexError as error:  # there is no getting through
            await self._settle({job_id: _about(job_id, error) for job_id in self._awaited})
        except Exception as error:  # noqa: BLE001 - a fault of ours: who waits must hear of it, or waits for ever
            await self._settle(dict.fromkeys(self._awaited, error))

    async def _look(self, job_ids: Sequence[str]) -> bool:
        """
        Have jobs described, and tell those who wait for them; return whether none was refused.

        :raises CortexError: if there is no getting through, whatever the job.
        """
        if not job_ids:
            return True
        if len(job_ids) > self._batch_size:
            return await self._look_in_parts(job_ids, size=self._batch_size)
        # A step of its own: a login that fails has nothing to do with any job.
        await self._in_thread(lambda hook: hook.open())
        try:
            outcomes = await self._in_thread(lambda hook: _describe(hook, job_ids))
        except RefusedError as error:
            if len(job_ids) > 1:
                return await self._look_at_halves(job_ids, error)
            await self._settle({job_ids[0]: error})
            return False
        except CortexError:
            self._suspect(job_ids)
            raise
        await self._settle(outcomes)
        return True

    async def _look_in_parts(self, job_ids: Sequence[str], *, size: int) -> bool:
        parts = (job_ids[start : start + size] for start in range(0, len(job_ids), size))
        return all([await self._look(part) for part in parts])

    async def _look_at_halves(self, job_ids: Sequence[str], error: RefusedError) -> bool:
        """Find out which job a statement was refused for, or whether it was for their number."""
        half = (len(job_ids) + 1) // 2
        none_refused = await self._look_in_parts(job_ids, size=half)
        if none_refused and half < self._batch_size:
            self._batch_size = half
            log.warning(
                "Snowflake refuses to describe %d fine-tuning jobs in one statement, but not fewer:"
                " from now on at most %d. (%s)",
                len(job_ids),
                half,
                error,
            )
        return none_refused

    def _suspect(self, job_ids: Sequence[str]) -> None:
        """
        Remember the jobs of a statement that was not answered: next time each has one of its own.

        So a job that Snowflake chokes on holds the others up for one look or two. They come last, the
        latest suspect at the very end.
        """
        for job_id in job_ids:
            self._suspects.pop(job_id, None)
            self._suspects[job_id] = None

    async def _settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Tell those who wait for a job what came of it, a few in each turn of the event loop."""
        for number, (job_id, outcome) in enumerate(outcomes.items(), start=1):
            for answer in self._awaited.pop(job_id, ()):
                if answer.done():  # whoever asked was cancelled
                    continue
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    self._suspects.pop(job_id, None)
                    answer.set_result(outcome)
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    @cached_property
    def _hook(self) -> CortexHook:
        """Made in the thread: importing what it takes would hold the loop."""
        from airflow_provider_cortex.hooks import CortexHook

        return CortexHook.of(self._session, network_timeout=NETWORK_TIMEOUT)

    async def _in_thread(self, call: Callable[[CortexHook], Answer]) -> Answer:
        return await sync_to_async(
            lambda: call(self._hook), thread_sensitive=False, executor=self._thread
        )()

    def _count(self, change: int) -> None:
        self._users += change
        metrics.jobs_waiting(self._users, conn_id=self._session.snowflake_conn_id)

    def _close(self) -> None:
        # Nothing is awaited here: a trigger that is being cancelled must not wait for a statement.
        # The thread ends the session when it is through with what it is doing, and is gone.
        del self._clients[self._key]
        if self._work is not None:
            self._work.cancel()
        self._thread.submit(self._end_session)
        self._thread.shutdown(wait=False)

    def _end_session(self) -> None:
        if "_hook" in vars(self):
            self._hook.close()


def _describe(hook: CortexHook, job_ids: Sequence[str]) -> dict[str, Outcome]:
    """Ask for several jobs at once; an answer that cannot be read is its own job's trouble."""
    return {
        job_id: _read(answer, job_id)
        for job_id, answer in zip(job_ids, hook.describe_all(job_ids), strict=True)
    }


def _about(job_id: str, error: CortexError) -> CortexError:
    """Return *error* as what it means to one of several jobs: it passes, or it does not."""
    kind = RefusedError if isinstance(error, RefusedError) else UnreachableError
    return kind(f"fine-tuning job {job_id} could not be looked at: {error}")


def _read(answer: object, job_id: str) -> Outcome:
    try:
        return FineTuneJob.parse(answer, job_id=job_id)
    except UnreadableAnswerError as error:
        return error
