"""
Since when a triggerer has been out of contact with Cortex: kept where the next triggerer finds it.

A trigger's arguments are what they were when the task was deferred, and a triggerer that takes it over knows
nothing else. So trouble that goes on is noted in an XCom of the task, with each look that fails; the contact
budget then does not start anew because a triggerer was restarted in the middle of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from airflow_provider_cortex.cortex.polling import Outage

log = logging.getLogger(__name__)

KEY = "out_of_contact"
"""The XCom: since when, and until which look at least, epoch seconds; null once contact is back."""

PATIENCE = 60.0
"""
Seconds for which a wait stops for a note. It goes on without, should Airflow be in trouble, too. The first
note of a triggerer may take ten: that is when Airflow 3.3 makes what answers it (measured).
"""


class Contact:
    """
    The notes of one wait.

    They are a help and no more: whatever goes wrong with them is logged for who looks for it, and the wait
    goes on.

    :param ti: the task instance that is deferred; without one (a trigger that no triggerer runs) there are
        no notes.
    """

    def __init__(self, ti: Any) -> None:
        self._ti = ti
        self._noted = False
        self._work: asyncio.Task[Any] | None = None

    async def recall(self) -> Outage | None:
        """Return the trouble that an earlier triggerer has noted."""
        noted = await self._aside(lambda xcom: xcom.get_one(key=KEY, **self._which()))
        self._noted = noted is not None
        return Outage.read(noted)

    async def note(self, outage: Outage | None) -> None:
        """Keep what is known of the trouble; None is none, and takes away what was noted."""
        if outage is None and not self._noted:
            return
        self._noted = outage is not None
        value = outage.to_dict() if outage else None
        await self._aside(lambda xcom: xcom.set(key=KEY, value=value, **self._which()))

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
        self._work = asyncio.get_running_loop().create_task(
            _quietly(call), context=contextvars.Context()
        )
        done, _ = await asyncio.wait({self._work}, timeout=PATIENCE)
        return self._work.result() if done else None


async def _quietly(call: Callable[[Any], Any]) -> Any:
    def ask() -> Any:
        from airflow.providers.common.compat.sdk import XCom

        return call(XCom)

    try:
        # Through asgiref, as all that asks Airflow from a thread of the triggerer (see client.py).
        return await sync_to_async(ask, thread_sensitive=False)()
    except Exception:  # of whatever kind: it was only a note
        log.debug("No note was taken of the contact with Cortex", exc_info=True)
        return None
