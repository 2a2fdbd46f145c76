"""What a triggerer asks Cortex with: one session, and one statement for all jobs that are due."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_cortex.airflow_api import metrics
from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cortex import sql
from airflow_provider_cortex.cortex.describe_batches import DescribeBatches, divided
from airflow_provider_cortex.cortex.error_codes import may_pass
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import (
    CortexError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.waiting.poller import TRANSIENT_ERRORS

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Outcome = FineTuneJob | CortexError
"""What came of looking at a job."""

NETWORK_TIMEOUT = 60
"""Seconds for which the driver tries one look: a look that hangs is a look that failed."""

GATHER = 0.05
"""Seconds in which calls that fall due together are gathered, to travel together."""

WOKEN_AT_ONCE = 20
"""How many triggers get their answers in one turn of the event loop."""

MISSES = 2
"""After so many statements in a row that nobody answered, a round is given up: each may take a minute."""


class SharedClient:
    """
    One Snowflake session for every job that waits with the same connection and settings.

    Calls that come together travel in one statement, of at most ``batch_size`` jobs. The session is
    opened at the first call, replaced when it is lost, and ended when the last one who waits has left.

    Everything that may block (the look-up of the connection, the login, the statements) runs in
    one thread of this client's own, through asgiref: it is asgiref that lets Airflow 3.0 and 3.1 look a
    connection up from a thread of the triggerer, and its default thread is shared by every trigger.

    Use it as ``with SharedClient.shared(session) as client``.
    """

    _clients: ClassVar[dict[tuple[asyncio.AbstractEventLoop, str], SharedClient]] = {}

    def __init__(
        self, session: SessionSettings, key: tuple[asyncio.AbstractEventLoop, str]
    ) -> None:
        self.session = session
        self.users = 0
        self._key = key
        self._batching = DescribeBatches(batch_size())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-client")
        self._awaited: dict[str, list[asyncio.Future[FineTuneJob]]] = {}
        self._work: asyncio.Task[None] | None = None
        self._misses = 0

    @classmethod
    def shared(cls, session: SessionSettings) -> SharedClient:
        """Return the client of all who wait with the same settings in this event loop."""
        session = session.shared()
        key = (asyncio.get_running_loop(), json.dumps(session.to_dict(), sort_keys=True))
        if key not in cls._clients:
            cls._clients[key] = cls(session, key)
        return cls._clients[key]

    def __enter__(self) -> Self:
        self.users += 1
        self._tell_metrics()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.users -= 1
        if not self.users:
            self._close()
        self._tell_metrics()

    async def describe(self, job_id: str) -> FineTuneJob:
        """
        Return what Cortex knows of the job; raises as :class:`CortexHook` does, but for one.

        A connection that is missing was there when the worker looked: that passes, too.
        """
        job_id = sql.text("finetune_job_id", job_id)  # before it travels with others
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[FineTuneJob] = loop.create_future()
        self._awaited.setdefault(job_id, []).append(answer)
        if self._work is None:
            # In a context of its own: what it logs is not for the task that happens to come first.
            self._work = loop.create_task(self._answer_all(), context=contextvars.Context())
        try:
            return await answer
        finally:
            # An error holds this frame, and the future the error: a circle for every look that fails.
            del answer

    async def execution(self, query_id: str) -> Execution:
        """Return how far a statement is that runs by itself; raises as :meth:`describe` does."""
        try:
            return await self._in_thread(lambda hook: hook.execution(query_id))
        except Exception as error:  # of whatever kind, as in a round of looks
            if isinstance(error, RejectedError | UnreachableError):
                raise
            raise _kind(error)(f"query {query_id} could not be looked at: {error!r}") from error

    async def _answer_all(self) -> None:
        """Look at the jobs that somebody asks for, until nobody does."""
        try:
            while self._awaited:
                await asyncio.sleep(GATHER)
                await self._round()
        finally:
            self._work = None
            # However this ended, nobody is to wait for ever.
            for job_id in list(self._awaited):
                self._tell(job_id, UnreachableError(f"nobody looked at fine-tuning job {job_id}"))

    async def _round(self) -> None:
        """Look once at every job that is asked for as it begins."""
        self._misses = 0
        batches = self._batching.divide(self._awaited)
        try:
            while batches:
                await self._look(batches[0])
                del batches[0]
        # Whatever it is, who waits must hear of it: a secrets backend, an OAuth library or a machine
        # without another thread raises what it likes, and only a task that is told can try again.
        except Exception as error:
            if not isinstance(error, CortexError):
                log.exception("Looking at fine-tuning jobs went wrong")
            await self._settle(_all_about(chain.from_iterable(batches), error))

    async def _look(self, job_ids: list[str]) -> bool:
        """
        Have jobs described, and tell those who wait for them; return whether all were answered.

        :raises CortexError: if there is no getting through, whatever the job.
        """
        if len(job_ids) > self._batching.size:  # which was larger when this began
            return await self._look_in_parts(job_ids, self._batching.size)
        # A step of its own: a login that fails has nothing to do with any job.
        await self._in_thread(lambda hook: hook.open())
        try:
            outcomes = await self._in_thread(lambda hook: _describe(hook, job_ids))
        except RejectedError as error:
            self._misses = 0
            if len(job_ids) > 1:
                return await self._look_at_halves(job_ids, error)
            await self._settle({job_ids[0]: error})
            return False
        except TRANSIENT_ERRORS as error:
            self._batching.unanswered(job_ids)
            self._misses += 1
            if self._misses >= MISSES:
                raise
            await self._settle(_all_about(job_ids, error))
            return False
        self._misses = 0
        self._batching.answered(job_ids)
        await self._settle(outcomes)
        return True

    async def _look_in_parts(self, job_ids: list[str], size: int) -> bool:
        return all([await self._look(part) for part in divided(job_ids, size)])

    async def _look_at_halves(self, job_ids: list[str], error: RejectedError) -> bool:
        """Find out which job a statement was refused for, or whether it was for their number."""
        half = (len(job_ids) + 1) // 2
        all_answered = await self._look_in_parts(job_ids, half)
        if all_answered and self._batching.too_many(enough=half):
            log.warning(
                "Snowflake describes at most %d fine-tuning jobs in one statement, and refuses more: from"
                " now on none is asked for more. (%s)",
                half,
                error,
            )
        return all_answered

    async def _settle(self, outcomes: Mapping[str, Outcome]) -> None:
        """Tell those who wait for jobs what came of it, a few in each turn of the event loop."""
        for number, (job_id, outcome) in enumerate(outcomes.items(), start=1):
            self._tell(job_id, outcome)
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _tell(self, job_id: str, outcome: Outcome) -> None:
        for answer in self._awaited.pop(job_id, ()):
            if answer.done():  # whoever asked was cancelled
                continue
            if isinstance(outcome, CortexError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    @cached_property
    def _hook(self) -> CortexHook:
        """Made in the thread: importing what it takes would hold the loop."""
        from airflow_provider_cortex.hooks import CortexHook

        return CortexHook.of(self.session, network_timeout=NETWORK_TIMEOUT)

    async def _in_thread(self, call: Callable[[CortexHook], Answer]) -> Answer:
        if not self.users:  # the last one has left
            raise asyncio.CancelledError
        return await sync_to_async(
            lambda: call(self._hook), thread_sensitive=False, executor=self._thread
        )()

    def _tell_metrics(self) -> None:
        conn_id = self.session.snowflake_conn_id
        clients = [c for c in self._clients.values() if c.session.snowflake_conn_id == conn_id]
        metrics.jobs_waiting(sum(client.users for client in clients), conn_id=conn_id)

    def _close(self) -> None:
        """
        Let the thread end the session when it is through with what it is doing, and be gone.

        Nothing is awaited: a trigger that is being cancelled must not wait for a statement. Nor is
        anything cancelled: a look-up of the connection would leave Airflow's answer unread, and with
        that end the triggerer of Airflow 3.0 and 3.1.
        """
        del self._clients[self._key]
        self._awaited.clear()
        self._thread.submit(self._end_session)
        self._thread.shutdown(wait=False)

    def _end_session(self) -> None:
        if "_hook" in vars(self):
            self._hook.close()


def _describe(hook: CortexHook, job_ids: Sequence[str]) -> dict[str, Outcome]:
    """Ask for several jobs at once; an answer that cannot be read is its own job's trouble."""
    answers = zip(job_ids, hook.describe_all(job_ids), strict=True)
    return {job_id: _read(answer, job_id, hook.last_query_id) for job_id, answer in answers}


def _read(answer: object, job_id: str, query_id: str | None) -> Outcome:
    try:
        return FineTuneJob.parse(answer, job_id=job_id, query_id=query_id)
    except UnreadableAnswerError as error:
        return error


def _kind(error: Exception) -> type[RejectedError | UnreachableError]:
    """Return what an error of whatever kind is to those who wait."""
    is_final = isinstance(error, RejectedError) or not may_pass(error)
    return RejectedError if is_final else UnreachableError


def _all_about(job_ids: Iterable[str], error: Exception) -> dict[str, CortexError]:
    """Return *error* as what it means to each of *job_ids*: it passes, or it does not."""
    kind = _kind(error)
    said = str(error) if isinstance(error, CortexError) else repr(error)
    return {
        job_id: kind(
            said if job_id in said else f"fine-tuning job {job_id} could not be looked at: {said}"
        )
        for job_id in job_ids
    }
