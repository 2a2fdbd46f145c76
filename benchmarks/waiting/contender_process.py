"""``python -m benchmarks.waiting.contender_process``: a contender's rounds, in a fresh process."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import snowflake.connector  # noqa: F401 - so that its memory does not count as the waits'
from airflow.triggers.base import BaseTrigger

from benchmarks.loop_lag import LagProbe
from benchmarks.waiting.contenders import TRIGGERS, sql_sensor
from benchmarks.waiting.measurement import Measurement
from benchmarks.waiting.meter import Meter, ask_emulator
from benchmarks.waiting.rounds import Rounds

IDLE_SECONDS = 1.0
"""For how long the event loop is measured before the waits begin."""


async def wait_in_triggers(
    contender: str, url: str, job_ids: Sequence[str], rounds: int
) -> Measurement:
    """Wait for each job in a trigger of its own, all in this event loop."""
    probe = LagProbe()
    probing = asyncio.create_task(probe.run())
    await probe.reset()
    cpu = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    overhead = (time.process_time() - cpu) / IDLE_SECONDS
    idle = probe.lag()
    clock = Rounds(len(job_ids))
    memory_before = _resident_memory()
    measured = []
    async with asyncio.TaskGroup() as group:
        triggers = [TRIGGERS[contender](job_id, clock) for job_id in job_ids]
        waiting = [group.create_task(_wait(trigger)) for trigger in triggers]
        await clock.wait_for_end()
        for _ in range(rounds):
            gc.collect()
            meter = Meter(url, overhead=overhead)
            await probe.reset()
            meter.start()
            await clock.run_next()
            meter.stop()
            measured.append(meter.round(probe.lag()))
        memory = _resident_memory() - memory_before
        for task in waiting:
            task.cancel()
    probing.cancel()
    return Measurement(
        contender=contender,
        jobs=len(job_ids),
        rounds=tuple(measured),
        logins=sum(int(round_.logins) for round_ in measured),
        idle=idle,
        memory=memory,
        threads=probe.threads - 1,
    )


async def _wait(trigger: BaseTrigger) -> None:
    async for event in trigger.run():
        message = f"the wait for a running job has ended: {event}"
        raise RuntimeError(message)


def poke_one_by_one(url: str, job_ids: Sequence[str], rounds: int) -> Measurement:
    """Poke each job once per round with a sensor, one after another."""
    sensors = [sql_sensor(job_id) for job_id in job_ids]
    measured = []
    for _ in range(rounds):
        meter = Meter(url)
        meter.start()
        for sensor in sensors:
            if sensor.poke({}):
                message = "a running job was reported as finished"
                raise RuntimeError(message)
        meter.stop()
        measured.append(meter.round())
    logins = sum(int(round_.logins) for round_ in measured)
    return Measurement(contender="sensor", jobs=len(job_ids), rounds=tuple(measured), logins=logins)


def _resident_memory() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


def main() -> None:
    contender, url, rounds, target = sys.argv[1:]
    job_ids = [job["id"] for job in ask_emulator(f"{url}/jobs")]
    measurement = (
        poke_one_by_one(url, job_ids, int(rounds))
        if contender == "sensor"
        else asyncio.run(wait_in_triggers(contender, url, job_ids, int(rounds)))
    )
    if any(round_.polls != len(job_ids) for round_ in measurement.rounds):
        sys.exit(f"Not every job was polled once per round: {measurement}")
    Path(target).write_text(str(measurement), encoding="utf-8")


if __name__ == "__main__":
    main()
