"""
Whether the task of a deferred wait was really killed, when Airflow calls ``on_kill``.

Airflow 3.3 calls a trigger's ``on_kill`` when its triggerer no longer has the trigger. Usually a
user has ended the task. But Airflow also calls it when another triggerer has taken the trigger
over, because this one was silent for ``[triggerer] triggerer_health_check_threshold`` seconds (30
by default) and lives on: ``TriggerRunnerSupervisor.update_triggers`` of Airflow 3.3.2 does not
distinguish the two (measured with a triggerer that stood still for half a minute: each of its
triggers was "cancelled by user action"). Then nothing may be cancelled, also if the wait has
ended meanwhile, and the task has been retried and waits for the same job.
"""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.waiting.checkpoint import KEY, Checkpoint, finish_call, start_call

DEFERRED = "deferred"
"""The state of a task that waits in a triggerer (Airflow's ``TaskInstanceState``)."""

CLEARED_SECONDS = 10.0
"""
A new try that began at most so long before ``on_kill`` was called is a cleared task's; a longer
time shows that this triggerer is late. Airflow 3.3.2 calls ``on_kill`` two seconds after a task is
cleared, when the task may already wait anew (measured: after 1.6 s).
"""


async def why_not_killed(ti: Any, started_at: float) -> str | None:
    """
    Return why a trigger's end is not its task's, None if the task was killed.

    :param ti: the task instance; a trigger that no triggerer runs has none.
    :param started_at: when the wait began, epoch seconds.
    """
    if ti is None:
        return None
    called_at = time.time()  # the answer may take some time

    def read() -> tuple[str | None, Checkpoint | None]:
        # In this order: a trigger records the end of its wait before its task resumes.
        return compat.task_state(ti), Checkpoint.read(compat.get_xcom(ti, KEY))

    found = await finish_call(start_call(read))
    if found is None:
        return "Airflow does not say whether its task was killed"
    state, record = found
    if record is not None and record.started_at > started_at:
        is_cleared = called_at - record.started_at <= CLEARED_SECONDS
        return None if is_cleared else "its task was retried, and waits anew"
    if record is not None and record.ended_at is not None:
        return "its wait has ended in another triggerer"
    return "its task still waits, in another triggerer" if state == DEFERRED else None
