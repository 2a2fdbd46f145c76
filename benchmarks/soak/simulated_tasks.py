"""Simulated tasks that wait for jobs. They begin and end as in real life, only faster."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from airflow.executors.workloads.trigger import RunTrigger

from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from benchmarks.emulator_process import EmulatorProcess
from benchmarks.soak.supervisor import workload

TASKS = 500
"""How many tasks wait at the same time."""

INTERVAL = 10.0
"""Seconds between two polls of a job."""

SHORTEST, LONGEST = 20.0, 240.0
"""Seconds that a job takes. The logarithms of the durations are evenly distributed."""

PLANS = {"success": 80, "error": 5, "cancelled": 5, "cleared": 5, "timeout": 3, "unreadable": 2}
"""How many in a hundred waits have each plan."""

EVENTS = {"unreadable": "success", "unknown": "rejected"}
"""The expected event of a plan, where it is not the plan's name."""

TEAMS = tuple(f"team_{number}" for number in range(50))
"""The connections of the tasks, which share them evenly."""

OTHER = "snowflake_other"
"""One more, which is used by batches only, and between them not at all."""

BATCH = 20
"""Tasks in a batch."""

BATCH_DURATION = 15.0
MINUTE = 60.0
"""Seconds between two batches, and two unknown jobs."""

EXPIRY = 300.0
"""
Seconds between two losses of all sessions. The driver keeps some objects of each login for ever
(in a cache of `detect_platforms`), which more of them would show as growth.
"""

CLEARED_FIRST = 10
"""Tasks that are cleared together at first, so that Airflow starts all threads that it keeps."""

OVERDUE = 60.0
"""Seconds after a job's end by which its wait must have ended."""


@dataclass(slots=True, kw_only=True)
class SimulatedTask:
    """One task that waits for a job."""

    job_id: str
    conn_id: str
    plan: str
    """How its wait is to end."""
    ends_at: float
    """When its job ends, epoch seconds."""
    acts_at: float
    """When we carry out its plan, epoch seconds."""
    has_acted: bool = False
    has_fired: bool = False


class SimulatedTasks:
    """
    Keeps the number of waiting tasks constant. It is the scheduler of a supervised triggerer.

    :param emulator: runs their jobs.
    :param seconds: for how long.
    """

    def __init__(self, emulator: EmulatorProcess, *, seconds: float) -> None:
        self.outcomes: Counter[str] = Counter()
        self.surprises: list[str] = []
        """Waits that did not end as planned."""
        self.tasks: dict[int, SimulatedTask] = {}
        """The waiting tasks, by their triggers' ids."""
        self.finished = 0
        self._emulator = emulator
        self._ids = count(1)
        self._random = random.Random(1)  # noqa: S311 - no secrets depend on it
        self.began_at = math.inf
        """When the first of them began to wait, epoch seconds."""
        self._seconds = seconds
        self._to_cancel: set[int] = set()
        self._due_at: dict[str, float] = {}

    def begin(self) -> None:
        """Start the clock."""
        self.began_at = time.time()
        # A third of a minute apart, so that each shows by itself.
        self._due_at = {
            "batch": self.began_at,
            "unknown": self.began_at + MINUTE / 3,
            "sessions": self.began_at + 2 * MINUTE / 3,
        }

    @property
    def has_finished(self) -> bool:
        """Whether the time has passed."""
        return time.time() >= self.began_at + self._seconds

    def trigger_fired(self, trigger_id: int, payload: Mapping[str, Any]) -> None:
        """Record an event, and whether it is a surprise."""
        task = self.tasks[trigger_id]
        kind = payload["kind"]
        outcome = json.loads(payload["job"])["status"].lower() if kind == "finished" else kind
        if task.has_fired or outcome != EVENTS.get(task.plan, task.plan):
            self.surprises.append(f"{task.plan}: {outcome}, {payload.get('reason')}")
        task.has_fired = True
        self.outcomes[outcome] += 1
        self.finished += 1

    def trigger_crashed(self, trigger_id: int, traceback: Iterable[str]) -> None:
        """Record an exception."""
        self.surprises.append(f"{self.tasks[trigger_id].plan}: crashed, {''.join(traceback)}")

    def trigger_ended(self, trigger_id: int) -> None:
        """Forget the task."""
        task = self.tasks.pop(trigger_id)
        if trigger_id in self._to_cancel:
            self._to_cancel.discard(trigger_id)
            self.outcomes["cleared"] += 1
            self.finished += 1
        elif not task.has_fired:
            self.surprises.append(f"{task.plan}: ended without an event")

    def next_changes(self) -> tuple[list[RunTrigger], set[int]]:
        """Do what is due; return the triggers to start, and those to cancel."""
        now = time.time()
        self._act(now)
        running = sum(task.conn_id != OTHER for task in self.tasks.values())
        durations = [self._random_duration() for _ in range(TASKS - running)]
        created = self._start(TEAMS, durations, now=now)
        if self._is_due("batch", now):
            created += self._start([OTHER], [BATCH_DURATION] * BATCH, now=now)
        if self._is_due("unknown", now):
            job_id = f"ft_unknown_{now:.0f}"
            created.append(self._start_one(job_id, TEAMS[0], "unknown", 0.0, now=now))
        if self._is_due("sessions", now):
            self._emulator.add_fault("expire")
        return created, set(self._to_cancel)

    def overdue(self) -> list[SimulatedTask]:
        """Return the tasks that still wait although their jobs ended long ago."""
        limit = time.time() - OVERDUE
        return [task for task in self.tasks.values() if task.ends_at < limit]

    def _random_duration(self) -> float:
        return math.exp(self._random.uniform(math.log(SHORTEST), math.log(LONGEST)))

    def _is_due(self, what: str, now: float) -> bool:
        """Return whether it is due, and set its next time."""
        if now < self._due_at[what]:
            return False
        self._due_at[what] += EXPIRY if what == "sessions" else MINUTE
        return True

    def _start(
        self, conn_ids: Sequence[str], durations: list[float], *, now: float
    ) -> list[RunTrigger]:
        if not durations:
            return []
        plans = self._random.choices([*PLANS], [*PLANS.values()], k=len(durations))
        if not self.finished and len(durations) == TASKS:
            plans[:CLEARED_FIRST] = ["cleared"] * CLEARED_FIRST
            durations[:CLEARED_FIRST] = [SHORTEST] * CLEARED_FIRST
        # A passed deadline is reported only while the job runs: on a slow machine the job must
        # be longer.
        durations = [
            duration + OVERDUE if plan == "timeout" else duration
            for duration, plan in zip(durations, plans, strict=True)
        ]
        job_ids = self._emulator.add_jobs(durations)
        # Each with the connection of the fewest tasks.
        return [
            self._start_one(job_id, min(conn_ids, key=self._waiting), plan, duration, now=now)
            for job_id, plan, duration in zip(job_ids, plans, durations, strict=True)
        ]

    def _waiting(self, conn_id: str) -> int:
        """Return how many tasks wait with a connection."""
        return sum(task.conn_id == conn_id for task in self.tasks.values())

    def _start_one(
        self, job_id: str, conn_id: str, plan: str, duration: float, *, now: float
    ) -> RunTrigger:
        trigger_id = next(self._ids)
        acts_at = now + duration / 2
        self.tasks[trigger_id] = SimulatedTask(
            job_id=job_id, conn_id=conn_id, plan=plan, ends_at=now + duration, acts_at=acts_at
        )
        trigger = CortexFineTuneTrigger(
            finetune_job_id=job_id,
            session={"snowflake_conn_id": conn_id},
            started_at=now,
            deadline=acts_at if plan == "timeout" else now + 24 * 3600,
            poke_interval=INTERVAL,
            cancel_on_kill=trigger_id % 2 == 1,
        )
        return workload(trigger_id, trigger)

    def _act(self, now: float) -> None:
        """Carry out the plans that are due."""
        for trigger_id, task in self.tasks.items():
            if task.has_acted or task.acts_at > now or task.has_fired:
                continue
            task.has_acted = True
            match task.plan:
                case "error":
                    self._emulator.fail(task.job_id)
                case "cancelled":
                    self._emulator.cancel(task.job_id)
                case "unreadable":
                    self._emulator.add_fault("unreadable", job_id=task.job_id, requests=1)
                case "cleared":
                    self._to_cancel.add(trigger_id)
                case _:
                    pass
