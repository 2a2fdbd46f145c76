"""Tasks that wait for jobs, coming and going as in life, only faster."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from airflow.executors.workloads.trigger import RunTrigger

from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from benchmarks.account import Account
from benchmarks.supervisor import workload

WAITS = 500
"""At a time."""

INTERVAL = 10.0
"""Seconds between two looks."""

SHORTEST, LONGEST = 20.0, 240.0
"""Seconds for which a job runs, even over their logarithms."""

FATES = {"success": 80, "error": 5, "cancelled": 5, "cleared": 5, "timeout": 3, "garbled": 2}
"""How many in a hundred waits go which way."""

MAIN, OTHER = "snowflake_default", "snowflake_other"
WAVE = 20
"""Waits with the other connection, which come together, and for a while there are none."""

WAVE_LIFE = 15.0
MINUTE = 60.0
"""Seconds between two waves, between two losses of all sessions, and between two unknown jobs."""

EARLY = 10
"""So many tasks are cleared together at first: so that threads which Airflow keeps are all there."""

PATIENCE = 60.0
"""Seconds after which a job that is over should long have been seen."""


@dataclass(slots=True, kw_only=True)
class Wait:
    """One task that waits."""

    job_id: str
    conn_id: str
    fate: str
    over_at: float
    """Epoch seconds."""
    turn_at: float
    """When its fate comes about, if that is not by itself."""
    is_turned: bool = False
    has_fired: bool = False


class Crowd:
    """
    Keeps as many waiting as there should be.

    :param account: where their jobs are.
    :param seconds: for how long.
    """

    def __init__(self, account: Account, *, seconds: float) -> None:
        self.outcomes: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.waits: dict[int, Wait] = {}
        self.done = 0
        self._account = account
        self._ids = count(1)
        self._random = random.Random(1)  # noqa: S311 - nobody is to be kept from guessing
        self.began = math.inf
        """When the first of them came, epoch seconds."""
        self._seconds = seconds
        self._cancelling: set[int] = set()
        self._next: dict[str, float] = {}

    def begin(self) -> None:
        """Let them come from now on."""
        self.began = time.time()
        # Apart by thirds of a minute, so that each is seen by itself.
        self._next = {
            "wave": self.began,
            "unknown": self.began + MINUTE / 3,
            "sessions": self.began + 2 * MINUTE / 3,
        }

    @property
    def is_through(self) -> bool:
        return time.time() >= self.began + self._seconds

    def fired(self, trigger_id: int, payload: Mapping[str, Any]) -> None:
        """Take note of an event, and of what it should not be."""
        wait = self.waits[trigger_id]
        kind = payload["kind"]
        told = json.loads(payload["job"])["status"].lower() if kind == "finished" else kind
        expected = {"garbled": "success", "unknown": "refused"}.get(wait.fate, wait.fate)
        if wait.has_fired or told != expected:
            self.surprises.append(f"{wait.fate}: {told}, {payload.get('reason')}")
        wait.has_fired = True
        self.outcomes[told] += 1
        self.done += 1

    def broke(self, trigger_id: int, trace: Iterable[str]) -> None:
        """Take note of a crash."""
        self.surprises.append(f"{self.waits[trigger_id].fate}: crashed, {''.join(trace)}")

    def ended(self, trigger_id: int) -> None:
        """Let go of a wait."""
        wait = self.waits.pop(trigger_id)
        if trigger_id in self._cancelling:
            self._cancelling.discard(trigger_id)
            self.outcomes["cleared"] += 1
            self.done += 1
        elif not wait.has_fired:
            self.surprises.append(f"{wait.fate}: gone without an event")

    def step(self) -> tuple[list[RunTrigger], set[int]]:
        """Let happen what is due; return the triggers to run, and those to cancel."""
        now = time.time()
        self._turn(now)
        running = sum(wait.conn_id == MAIN for wait in self.waits.values())
        created = self._wait(MAIN, [self._life() for _ in range(WAITS - running)], now=now)
        if self._is_due("wave", now):
            created += self._wait(OTHER, [WAVE_LIFE] * WAVE, now=now)
        if self._is_due("unknown", now):
            created.append(self._entered(f"ft_unknown_{now:.0f}", MAIN, "unknown", 0.0, now=now))
        if self._is_due("sessions", now):
            self._account.strike("expire")
        return created, set(self._cancelling)

    def overdue(self) -> list[Wait]:
        """Return the waits whose jobs have long been over."""
        late = time.time() - PATIENCE
        return [wait for wait in self.waits.values() if wait.over_at < late]

    def _life(self) -> float:
        return math.exp(self._random.uniform(math.log(SHORTEST), math.log(LONGEST)))

    def _is_due(self, what: str, now: float) -> bool:
        if now < self._next[what]:
            return False
        self._next[what] += MINUTE
        return True

    def _wait(self, conn_id: str, lives: list[float], *, now: float) -> list[RunTrigger]:
        if not lives:
            return []
        fates = self._random.choices([*FATES], [*FATES.values()], k=len(lives))
        if not self.done and conn_id == MAIN and len(lives) == WAITS:
            fates[:EARLY] = ["cleared"] * EARLY
            lives[:EARLY] = [SHORTEST] * EARLY
        # A deadline is seen to have passed only while the job runs, however slow the machine is.
        lives = [
            life + PATIENCE if fate == "timeout" else life
            for life, fate in zip(lives, fates, strict=True)
        ]
        return [
            self._entered(job_id, conn_id, fate, life, now=now)
            for job_id, fate, life in zip(self._account.add(lives), fates, lives, strict=True)
        ]

    def _entered(
        self, job_id: str, conn_id: str, fate: str, life: float, *, now: float
    ) -> RunTrigger:
        trigger_id = next(self._ids)
        turn_at = now + life / 2
        self.waits[trigger_id] = Wait(
            job_id=job_id, conn_id=conn_id, fate=fate, over_at=now + life, turn_at=turn_at
        )
        trigger = CortexFineTuneTrigger(
            finetune_job_id=job_id,
            session={"snowflake_conn_id": conn_id},
            started_at=now,
            deadline=turn_at if fate == "timeout" else now + 24 * 3600,
            poke_interval=INTERVAL,
            cancel_on_kill=trigger_id % 2 == 1,
        )
        return workload(trigger_id, trigger)

    def _turn(self, now: float) -> None:
        """Bring about the fates that do not come by themselves."""
        for trigger_id, wait in self.waits.items():
            if wait.is_turned or wait.turn_at > now or wait.has_fired:
                continue
            wait.is_turned = True
            match wait.fate:
                case "error":
                    self._account.fail(wait.job_id)
                case "cancelled":
                    self._account.cancel(wait.job_id)
                case "garbled":
                    self._account.strike("unreadable", job_id=wait.job_id, requests=1)
                case "cleared":
                    self._cancelling.add(trigger_id)
                case _:
                    pass
