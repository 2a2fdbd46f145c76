"""
Whether the task of a deferred wait was really killed, when Airflow calls ``on_kill``.

Airflow 3.3 calls a trigger's ``on_kill`` when its triggerer no longer has the trigger. Usually a
user has ended the task. But Airflow also calls it when another triggerer has taken the trigger
over, because this one was silent for ``[triggerer] triggerer_health_check_threshold`` seconds (30
by default) and lives on: ``TriggerRunnerSupervisor.update_triggers`` of Airflow 3.3.2 does not
distinguish the two (measured with a triggerer that stood still for half a minute: each of its
triggers was "cancelled by user action"). Then nothing may be cancelled.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.waiting.checkpoint import (
    Checkpoint,
    XComCheckpoint,
    finish_call,
    start_call,
)

DEFERRED = "deferred"
"""The state of a task that still waits (Airflow's ``TaskInstanceState``)."""


async def why_not_killed(ti: Any, started_at: float) -> str | None:
    """
    Return why a trigger's end is not its task's, None if the task was killed.

    :param ti: the task instance; a trigger that no triggerer runs has none.
    :param started_at: when the wait began, epoch seconds.
    """
    if ti is None:
        return None
    recorded = await XComCheckpoint(ti, Checkpoint(started_at=started_at)).load()
    if recorded is not None:
        if recorded.started_at != started_at:
            return None  # the task was cleared, and waits anew
        if recorded.ended_at is not None:
            return "its wait has ended in another triggerer"
    states = await finish_call(start_call(lambda: (compat.task_state(ti),)))
    if states is None:
        return "Airflow does not say whether its task was killed"
    return "its task still waits, in another triggerer" if states == (DEFERRED,) else None
