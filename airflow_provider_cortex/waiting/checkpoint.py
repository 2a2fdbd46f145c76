"""
What must survive a triggerer, a reschedule or a retry: one record of a wait, under one key.

A trigger's arguments stay as they were when the task was deferred, and a new triggerer knows
nothing else. A rescheduled sensor starts from nothing at each poll. So the moments that timeouts
count from are recorded: in an XCom while the task is deferred, in Airflow 3.3's task state store
on a worker. (Airflow clears a task's XComs when it runs again, and triggers cannot use the store.)

A record is a help, and no more: if Airflow cannot read or write it, the wait goes on without.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_cortex.airflow_api import compat

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.job import FineTuneJob

log = logging.getLogger(__name__)

KEY = "cortex_checkpoint"
"""The XCom's key, and the one in the task state store."""

READ_TIMEOUT_SECONDS = 60.0
"""
How long a wait stops for its record. A triggerer's first call to Airflow may take ten seconds:
Airflow 3.3 then starts what answers it (measured).
"""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Outage:
    """
    Failed polls in a row.

    :param since: when the first of them was, epoch seconds.
    :param until: when the last of them was, epoch seconds.
    """

    since: float
    until: float

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Return what :meth:`Checkpoint.to_dict` wrote, None for anything else."""
        match value:
            case {"since": int(since) | float(since), "until": int(until) | float(until)}:
                return cls(since=since, until=until)
        return None


@dataclass(frozen=True, kw_only=True)
class LastChange:
    """
    The last change of a job's status or progress.

    :param status: the status since then; an unknown one as Cortex wrote it.
    :param progress: the progress since then, from 0 to 1.
    :param since: when it was seen first, epoch seconds.
    """

    status: str
    progress: float | None
    since: float

    @classmethod
    def of(cls, job: FineTuneJob, *, since: float) -> Self:
        """Return the record of a job that is seen to have changed."""
        return cls(status=job.status_text, progress=job.progress, since=since)

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Return what :meth:`Checkpoint.to_dict` wrote, None for anything else."""
        match value:
            case {
                "status": str(status),
                "progress": (int() | float() | None) as progress,
                "since": int(since) | float(since),
            }:
                return cls(status=status, progress=progress, since=since)
        return None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """
    A wait, as far as its next process must know it.

    :param started_at: when the wait began, epoch seconds: a cleared task waits anew.
    :param ended_at: when its trigger fired, epoch seconds; None while it waits.
    :param outage: the failed polls that have no successful one after them.
    :param last_change: the job's last change, if the wait has a ``stall_timeout``.
    """

    started_at: float
    ended_at: float | None = None
    outage: Outage | None = None
    last_change: LastChange | None = None

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Return what :meth:`to_dict` wrote, None for anything else."""
        match value:
            case {
                "started_at": int(started_at) | float(started_at),
                "ended_at": (int() | float() | None) as ended_at,
                "outage": outage,
                "last_change": last_change,
            }:
                return cls(
                    started_at=started_at,
                    ended_at=ended_at,
                    outage=Outage.read(outage),
                    last_change=LastChange.read(last_change),
                )
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


class XComCheckpoint:
    """
    The record of a deferred wait, in a triggerer.

    :param ti: the deferred task instance; without one (a trigger that no triggerer runs) nothing
        is kept.
    :param saved: the record as the worker left it.
    """

    def __init__(self, ti: Any, saved: Checkpoint) -> None:
        self._ti = ti
        self._saved = saved
        self._work: asyncio.Task[Any] | None = None

    async def load(self) -> Checkpoint | None:
        """Return what an earlier triggerer recorded, None if nothing."""
        found = Checkpoint.read(await self._call(lambda: compat.get_xcom(self._ti, KEY)))
        if found is not None:
            self._saved = found
        return found

    async def save(self, checkpoint: Checkpoint) -> None:
        """Record the wait, if it has changed."""
        if checkpoint == self._saved:
            return
        self._saved = checkpoint
        await self._call(lambda: self._write(checkpoint))

    def _write(self, checkpoint: Checkpoint) -> None:
        """Write, unless this wait has ended in another triggerer, or a later one has begun."""
        found = Checkpoint.read(compat.get_xcom(self._ti, KEY))
        if found is None or (found.started_at <= checkpoint.started_at and found.ended_at is None):
            compat.set_xcom(self._ti, KEY, checkpoint.to_dict())

    async def _call(self, call: Callable[[], Result]) -> Result | None:
        """
        Return what a call to Airflow returns, None if it takes too long.

        It is never cancelled, even if the wait is: an unread answer of Airflow ends the triggerer
        of Airflow 3.0 and 3.1. Until it is there, no other call is made.
        """
        if self._ti is None or (self._work is not None and not self._work.done()):
            return None
        self._work = start_call(call)
        return await finish_call(self._work)


def start_call(call: Callable[[], Result]) -> asyncio.Task[Result | None]:
    """Begin a call to Airflow in a thread; its errors are only logged."""

    async def run() -> Result | None:
        try:
            # Airflow 3.0 and 3.1 answer a thread of the triggerer only through asgiref.
            return await sync_to_async(call, thread_sensitive=False)()
        except Exception:  # of any kind: the wait goes on without
            log.debug("Airflow did not answer", exc_info=True)
            return None

    # In a context of its own: its log lines do not belong to this task.
    return asyncio.get_running_loop().create_task(run(), context=contextvars.Context())


async def finish_call(work: asyncio.Task[Result | None]) -> Result | None:
    """Return the result of a call to Airflow, None if it failed or takes too long."""
    done, _ = await asyncio.wait({work}, timeout=READ_TIMEOUT_SECONDS)
    return work.result() if done else None
