"""Watchers for jobs, in a triggerer whose clock a test moves."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_cortex.airflow_api.compat import IS_AIRFLOW_3
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.triggers import CortexJobTrigger
from tests.clock import Clock, KilledError
from tests.secret_scan import EVENTS, TRIGGERS, leftovers

SHOW = "FINETUNE('SHOW'"
DESCRIBE = "FINETUNE('DESCRIBE'"

needs_watchers = pytest.mark.skipif(not IS_AIRFLOW_3, reason="needs Airflow 3.0")

Step = Callable[[], object]


def nothing() -> None:
    """Let a round pass."""


class State(dict[str, Any]):
    """What Airflow 3.3 keeps for an asset."""

    def set(self, key: str, value: object) -> None:
        """Keep a value, in the JSON form in which Airflow would."""
        self[key] = json.loads(json.dumps(value, allow_nan=False))


def store(*states: State) -> Any:
    """Return what the triggerer of Airflow 3.3 gives to a trigger that watches these assets."""
    named = {f"asset {number}": state for number, state in enumerate(states)}
    return SimpleNamespace(_by_name=named, _by_uri={})


class Rounds(Clock):
    """A clock that takes a step of the test in each sleep, and dies in the one after the last."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self._steps = list(steps)

    async def sleep(self, seconds: float) -> None:
        """Take the next step."""
        if not self._steps:
            raise KilledError
        self._steps.pop(0)()
        await super().sleep(seconds)


def watch(
    arguments: dict[str, Any] | None = None, *steps: Step, state: State | None = None
) -> list[Any]:
    """
    Run one watcher in one triggerer until that dies; return the payloads of its events.

    :param steps: what happens in each sleep: 60 seconds after a poll, or some after events.
    :param state: what Airflow keeps for its asset; None before Airflow 3.3.
    """
    return watch_all([CortexJobTrigger(**(arguments or {}))], *steps, state=state)[0]


def watch_all(
    triggers: Sequence[CortexJobTrigger], *steps: Step, state: State | None = None
) -> list[list[Any]]:
    """Run watchers in one triggerer; the first one's clock takes the steps."""
    return [payloads for payloads, _ in run_all(triggers, *steps, state=state)]


def run_all(
    triggers: Sequence[CortexJobTrigger], *steps: Step, state: State | None = None
) -> list[tuple[list[Any], Clock]]:
    """Return the payloads of each watcher's events, and its clock."""

    async def one(trigger: CortexJobTrigger) -> tuple[list[Any], Clock]:
        clock = Rounds(*(steps if trigger is triggers[0] else [nothing] * len(steps)))
        payloads: list[Any] = []
        trigger = stored(trigger)
        trigger.clock = clock
        if state is not None:
            trigger.asset_state_store = store(state)
        with contextlib.suppress(KilledError):
            async for event in trigger.run():
                kept = json.dumps(event.payload, allow_nan=False)
                leftovers.leave(EVENTS, kept)
                payloads.append(json.loads(kept))
        return payloads, clock

    async def main() -> list[tuple[list[Any], Clock]]:
        return await asyncio.gather(*map(one, triggers))

    return asyncio.run(main())


def stored(trigger: CortexJobTrigger) -> CortexJobTrigger:
    """Write a watcher into Airflow's database, and read it in a triggerer."""
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_cortex.triggers.CortexJobTrigger"
    kept = json.dumps(arguments, allow_nan=False)
    leftovers.leave(TRIGGERS, kept)
    return CortexJobTrigger(**json.loads(kept))


class Job:
    """A job that runs until a test ends it."""

    def __init__(self, emulator: Emulator, model: str = "DB.S.M", **facts: Any) -> None:
        self._jobs = emulator.jobs
        self.id = self._jobs.add(model=model, life=Life.at_once(), **facts).id
        self._jobs.stall(self.id)

    def succeed(self) -> None:
        """End it in SUCCESS."""
        self._jobs.resume(self.id)

    def fail(self) -> None:
        """End it in ERROR."""
        self._jobs.fail(self.id)

    def cancel(self) -> None:
        """End it in CANCELLED."""
        self._jobs.cancel(self.id)


def ids(payloads: Sequence[Any]) -> list[str]:
    """Return the ids of the jobs in payloads."""
    return [payload["id"] for payload in payloads]


def sent(emulator: Emulator, call: str) -> int:
    """Return how many statements with a call the account has received."""
    return sum(call in statement.sql for statement in emulator.statements)
