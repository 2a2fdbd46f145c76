"""
What a triggerer knows of a wait, kept where the next triggerer finds it.

A trigger's arguments are what they were when the task was deferred, and a triggerer that takes it over knows
nothing else. So what a limit of time counts from is noted in XComs of the task: since when there has been trouble,
with each look that fails; and, if the wait has a ``stall_timeout``, since when the job has been where it is. Neither then
starts anew because a triggerer was restarted in the middle of it. Where a triggerer may be told to cancel something,
the wait itself is noted, too (see wait.py).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from typing import Any

from asgiref.sync import sync_to_async

log = logging.getLogger(__name__)

OUT_OF_CONTACT = "out_of_contact"
"""The XCom about trouble: since when, and until which look at least, epoch seconds; null once contact is back."""

STANDING = "standing"
"""The XCom about a job that stands still: its status, its progress, and since when, epoch seconds."""

WAIT = "wait"
"""The XCom about the wait itself: when it began, and when it was over unless it was killed, epoch seconds."""

PATIENCE = 60.0
"""
Seconds for which a wait stops for a note. It goes on without, should Airflow be in trouble, too. The first
note of a triggerer may take ten: that is when Airflow 3.3 makes what answers it (measured).
"""


class Note:
    """
    A note of one wait.

    It is a help and no more: whatever goes wrong with it is logged for who looks for it, and the wait
    goes on.

    :param ti: the task instance that is deferred; without one (a trigger that no triggerer runs) there is
        no note.
    :param key: the XCom's key.
    """

    def __init__(self, ti: Any, key: str) -> None:
        self._ti = ti
        self._key = key
        self._noted = False
        self._work: asyncio.Task[Any] | None = None

    async def recall(self) -> object:
        """Return what an earlier triggerer has noted, None if nothing."""
        noted = await self._aside(lambda xcom: xcom.get_one(key=self._key, **self._which()))
        self._noted = noted is not None
        return noted

    async def keep(self, value: Mapping[str, Any] | None) -> None:
        """Keep what is known now; None is nothing, and takes away what was noted."""
        if value is None and not self._noted:
            return
        self._noted = value is not None
        await self._aside(lambda xcom: xcom.set(key=self._key, value=value, **self._which()))

    def _which(self) -> dict[str, Any]:
        ti = self._ti
        return {
            "dag_id": ti.dag_id,
            "task_id": ti.task_id,
            "run_id": ti.run_id,
            "map_index": ti.map_index,
        }

    async def _aside(self, call: Callable[[Any], Any]) -> Any:
        """
        Return what a call of Airflow's XCom returns, None if it takes too long.

        It is never cancelled, even if the wait is: Airflow's answer would be left unread, and with that end
        the triggerer of Airflow 3.0 and 3.1.
        """
        if self._ti is None or (self._work is not None and not self._work.done()):
            return None
        self._work = _begin(lambda: call(_xcom()))
        return await _answer(self._work)


async def ask(call: Callable[[], Any]) -> Any:
    """Return what a call returns that asks Airflow; None if it fails, or takes longer than a wait stops for it."""
    return await _answer(_begin(call))


def _begin(call: Callable[[], Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(_quietly(call), context=contextvars.Context())


async def _answer(work: asyncio.Task[Any]) -> Any:
    done, _ = await asyncio.wait({work}, timeout=PATIENCE)
    return work.result() if done else None


def _xcom() -> Any:
    from airflow.providers.common.compat.sdk import XCom

    return XCom


async def _quietly(call: Callable[[], Any]) -> Any:
    try:
        # Through asgiref, as all that asks Airflow from a thread of the triggerer (see client.py).
        return await sync_to_async(call, thread_sensitive=False)()
    except Exception:  # of whatever kind: a wait goes on without
        log.debug("Airflow did not answer", exc_info=True)
        return None
