"""``python -m benchmarks.waiting.contender_process``: a contender's rounds, in a fresh process."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import snowflake.connector  # noqa: F401 - so that its memory does not count as the waits'
from airflow.triggers.base import BaseTrigger

from benchmarks.loop_lag import LagProbe
from benchmarks.waiting.case import Case, conn_id
from benchmarks.waiting.contenders import TRIGGERS, sql_sensor
from benchmarks.waiting.measurement import Measurement
from benchmarks.waiting.meter import Meter, ask_emulator
from benchmarks.waiting.rounds import Rounds

IDLE_SECONDS = 1.0
"""For how long the event loop is measured before the waits begin."""

FIRST_HANGING_ROUND = {"login": 0, "statement": 1}
"""The round with which connections begin to hang, by the point at which they do."""


async def wait_in_triggers(case: Case, url: str, hanging_url: str) -> Measurement:
    """Wait for each job in a trigger of its own, all in this event loop."""
    probe = LagProbe()
    probing = asyncio.create_task(probe.run())
    await probe.reset()
    cpu = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    overhead = (time.process_time() - cpu) / IDLE_SECONDS
    idle = probe.lag()
    clock, hanging_clock = Rounds(case.jobs), Rounds(case.hanging * case.waits)
    memory_before = _resident_memory()
    measured = []
    async with asyncio.TaskGroup() as group:
        triggers = [
            # Those of the hanging connections are the first to begin.
            TRIGGERS[case.contender](job_id, connection, hanging_clock if hangs else clock)
            for job_id, connection, hangs in _waits(case, url, hanging_url)
        ]
        waiting = [group.create_task(_wait(trigger)) for trigger in triggers]
        await clock.wait_for_end()
        for number in range(case.rounds):
            if case.hanging and number == FIRST_HANGING_ROUND[case.hang_at]:
                fault = {"kind": "hang", "at": case.hang_at}
                await asyncio.to_thread(ask_emulator, f"{hanging_url}/faults", fault)
            gc.collect()
            meter = Meter(url, overhead=overhead)
            await probe.reset()
            meter.start()
            hanging_clock.begin_next()
            await clock.run_next()
            meter.stop()
            measured.append(meter.round(probe.lag()))
        memory = _resident_memory() - memory_before
        for task in waiting:
            task.cancel()
    probing.cancel()
    return Measurement(
        case=case,
        rounds=tuple(measured),
        logins=sum(int(round_.logins) for round_ in measured),
        idle=idle,
        memory=memory,
        threads=probe.threads - 1,
    )


def _waits(case: Case, url: str, hanging_url: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the job and the connection of each wait, and whether it hangs, in turn."""
    for address in filter(None, (hanging_url, url)):
        hangs = address == hanging_url
        numbers = range(case.hanging) if hangs else range(case.hanging, case.connections)
        job_ids = [job["id"] for job in ask_emulator(f"{address}/jobs")]
        for number, job_id in enumerate(job_ids):
            yield job_id, conn_id(numbers[number % len(numbers)]), hangs


async def _wait(trigger: BaseTrigger) -> None:
    async for event in trigger.run():
        message = f"the wait for a running job has ended: {event}"
        raise RuntimeError(message)


def poke_one_by_one(case: Case, url: str) -> Measurement:
    """Poke each job once per round with a sensor, one after another."""
    sensors = [sql_sensor(job_id, connection) for job_id, connection, _ in _waits(case, url, "")]
    measured = []
    for _ in range(case.rounds):
        meter = Meter(url)
        meter.start()
        for sensor in sensors:
            if sensor.poke({}):
                message = "a running job was reported as finished"
                raise RuntimeError(message)
        meter.stop()
        measured.append(meter.round())
    logins = sum(int(round_.logins) for round_ in measured)
    return Measurement(case=case, rounds=tuple(measured), logins=logins)


def _resident_memory() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


def main() -> None:
    text, url, hanging_url, target = sys.argv[1:]
    case = Case.parse(text)
    measurement = (
        poke_one_by_one(case, url)
        if case.contender == "sensor"
        else asyncio.run(wait_in_triggers(case, url, hanging_url))
    )
    if any(round_.polls != case.jobs for round_ in measurement.rounds):
        sys.exit(f"Not every job was polled once per round: {measurement}")
    Path(target).write_text(str(measurement), encoding="utf-8")
    os._exit(0)  # threads that hang would keep this process for a minute


if __name__ == "__main__":
    main()
