"""
A deferred wait, and whether the task that Airflow says was killed was killed.

Airflow 3.3 calls a trigger's ``on_kill`` when its triggerer no longer has the trigger. Somebody has ended the task,
says its documentation; but so it is, too, when another triggerer has taken the trigger over, because this one gave
no sign of life for ``[triggerer] triggerer_health_check_threshold`` seconds (30 by default), and is still there
(``TriggerRunnerSupervisor.update_triggers`` of Airflow 3.3.2 does not tell the two apart; measured with a triggerer that
stood still for half a minute: each of its triggers was "cancelled by user action"). Nothing may be cancelled then.

So the worker notes in an XCom of the task which wait this is, and the triggerer that ends it, that it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_cortex.waiting.notes import WAIT, Note, ask

IS_NOTED = hasattr(BaseTrigger, "on_kill")
"""Whether this Airflow tells a trigger that it is killed."""

DEFERRED = "deferred"
"""The state of a task that still waits (Airflow's ``TaskInstanceState``)."""

Noted = dict[str, float | None]


class Wait:
    """
    One deferred wait of a task instance.

    :param ti: the task instance; a trigger that no triggerer runs has none.
    :param started_at: when the wait began, epoch seconds: the task may wait anew, in another try.
    """

    def __init__(self, ti: Any, started_at: float) -> None:
        self._ti = ti
        self._started_at = started_at
        self._note = Note(ti, WAIT)

    def begin(self) -> None:
        """Note on the worker that the wait begins."""
        if IS_NOTED:
            self._ti.xcom_push(key=WAIT, value=self._noted(over_at=None))

    async def end(self, now: float) -> None:
        """
        Note in the triggerer that the wait is over, and nobody has killed it.

        :param now: epoch seconds.
        """
        if IS_NOTED:
            await self._note.keep(self._noted(over_at=now))

    async def why_not_killed(self) -> str | None:
        """Return why the end of the trigger is not that of its task, if it is not; None if the task was killed."""
        if self._ti is None:
            return None
        noted = await self._note.recall()
        if isinstance(noted, Mapping):
            if noted.get("started_at") != self._started_at:
                return None  # the task was cleared, and waits anew
            if noted.get("over_at") is not None:
                return "its wait has ended, in another triggerer"
        answer = await ask(self._state)
        if answer is None:
            return "Airflow does not tell whether its task was killed"
        return "its task waits on, in another triggerer" if answer["state"] == DEFERRED else None

    def _noted(self, over_at: float | None) -> Noted:
        return {"started_at": self._started_at, "over_at": over_at}

    def _state(self) -> dict[str, str | None]:
        """Return the task's state."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        ti = self._ti
        states = RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
        return {"state": states.get(ti.run_id, {}).get(name)}
