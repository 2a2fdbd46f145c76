"""``python -m benchmarks.triggerer``: Airflow's own triggerer process, which notes what it takes up."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
from airflow.jobs.triggerer_job_runner import TriggerRunner

from benchmarks.probe import Probe

EVERY = 5.0
"""Seconds between two notes."""


class Triggerer(TriggerRunner):
    """
    Runs triggers as in any deployment; its supervisor is at the other end of its standard input.

    :param notes: the file to write what is measured to, a line of JSON each time.
    """

    def __init__(self, notes: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._notes = notes

    async def arun(self) -> None:
        measuring = asyncio.create_task(self._measure())
        try:
            await super().arun()  # type: ignore[no-untyped-call]
        finally:
            measuring.cancel()

    async def _measure(self) -> None:
        probe = Probe()
        probing = asyncio.create_task(probe.run())
        process = psutil.Process()
        try:
            with self._notes.open("w", encoding="utf-8", buffering=1) as notes:
                while True:
                    await probe.begin()
                    await asyncio.sleep(EVERY)
                    late = probe.delay()
                    # What is left in circles is Python's to find, which takes its time: no leak.
                    gc.collect()
                    notes.write(json.dumps(self._state(process) | {"late": late.p99}) + "\n")
        finally:
            probing.cancel()

    def _state(self, process: psutil.Process) -> dict[str, Any]:
        triggers = sum(not one["task"].done() for one in self.triggers.values())
        return {
            "time": time.time(),
            "triggers": triggers,
            "tasks": len(asyncio.all_tasks()) - triggers,
            "resident": process.memory_info().rss,
            "blocks": sys.getallocatedblocks(),
            "threads": process.num_threads(),
            "descriptors": process.num_fds(),
        }


if __name__ == "__main__":
    Triggerer(Path(sys.argv[1])).run()  # type: ignore[no-untyped-call]
