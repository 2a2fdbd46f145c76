"""``python -m benchmarks.contender``: one contender's rounds, in a fresh process that is measured."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import snowflake.connector  # noqa: F401 - so that it is no part of what waiting takes
from airflow.triggers.base import BaseTrigger

from benchmarks.contenders import TRIGGERS, sensor
from benchmarks.meter import Meter, ask
from benchmarks.probe import Probe
from benchmarks.record import Record
from benchmarks.rounds import Rounds

IDLE = 1.0
"""Seconds for which the event loop is watched before anybody waits."""


async def wait_in_triggers(contender: str, url: str, job_ids: Sequence[str], rounds: int) -> Record:
    """Let a trigger wait for each job, all in this event loop."""
    probe = Probe()
    probing = asyncio.create_task(probe.run())
    await probe.begin()
    cpu = time.process_time()
    await asyncio.sleep(IDLE)
    own = (time.process_time() - cpu) / IDLE
    idle = probe.delay()
    clock = Rounds(len(job_ids))
    before = _resident()
    measured = []
    async with asyncio.TaskGroup() as group:
        triggers = [TRIGGERS[contender](job_id, clock) for job_id in job_ids]
        waiting = [group.create_task(_wait(trigger)) for trigger in triggers]
        await clock.over()
        for _ in range(rounds):
            gc.collect()
            meter = Meter(url, own=own)
            await probe.begin()
            meter.start()
            await clock.next()
            meter.stop()
            measured.append(meter.round(probe.delay()))
        memory = _resident() - before
        for task in waiting:
            task.cancel()
    probing.cancel()
    return Record(
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
        message = f"the wait for a job in progress is over: {event}"
        raise RuntimeError(message)


def poke_in_turn(url: str, job_ids: Sequence[str], rounds: int) -> Record:
    """Let a sensor poke each job once, one after the other."""
    sensors = [sensor(job_id) for job_id in job_ids]
    measured = []
    for _ in range(rounds):
        meter = Meter(url)
        meter.start()
        for one in sensors:
            if one.poke({}):
                message = "a job in progress is over"
                raise RuntimeError(message)
        meter.stop()
        measured.append(meter.round())
    logins = sum(int(round_.logins) for round_ in measured)
    return Record(contender="sensor", jobs=len(job_ids), rounds=tuple(measured), logins=logins)


def _resident() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


def main() -> None:
    contender, url, rounds, target = sys.argv[1:]
    job_ids = [job["id"] for job in ask(f"{url}/jobs")]
    record = (
        poke_in_turn(url, job_ids, int(rounds))
        if contender == "sensor"
        else asyncio.run(wait_in_triggers(contender, url, job_ids, int(rounds)))
    )
    if any(round_.looks != len(job_ids) for round_ in record.rounds):
        sys.exit(f"Not every job was looked at once a round: {record}")
    Path(target).write_text(str(record), encoding="utf-8")


if __name__ == "__main__":
    main()
