"""``python -m benchmarks.soak.triggerer``: Airflow's triggerer process, which measures itself."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
from airflow.jobs.triggerer_job_runner import TriggerRunner

from benchmarks.loop_lag import LagProbe

INTERVAL = 5.0
"""Seconds between two measurements."""


class MeasuredTriggerer(TriggerRunner):
    """
    Runs triggers as in any deployment. Its supervisor is at the other end of its standard input.

    :param measurements: the file to write to, one line of JSON for each measurement.
    """

    def __init__(self, measurements: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._measurements = measurements

    async def arun(self) -> None:
        measuring = asyncio.create_task(self._measure())
        try:
            await super().arun()  # type: ignore[no-untyped-call]
        finally:
            measuring.cancel()

    async def _measure(self) -> None:
        probe = LagProbe()
        probing = asyncio.create_task(probe.run())
        process = psutil.Process()
        try:
            with self._measurements.open("w", encoding="utf-8", buffering=1) as file:
                while True:
                    await probe.reset()
                    await asyncio.sleep(INTERVAL)
                    lag = probe.lag()
                    # Python collects reference cycles later: they are not a leak.
                    gc.collect()
                    file.write(json.dumps(self._usage(process) | {"lag": lag.p99}) + "\n")
        finally:
            probing.cancel()

    def _usage(self, process: psutil.Process) -> dict[str, Any]:
        triggers = sum(not one["task"].done() for one in self.triggers.values())
        # The driver's, one for each running statement.
        timers = sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())
        return {
            "time": time.time(),
            "triggers": triggers,
            "tasks": len(asyncio.all_tasks()) - triggers,
            "resident": process.memory_info().rss,
            "blocks": sys.getallocatedblocks(),
            "threads": process.num_threads() - timers,
            "descriptors": process.num_fds(),
        }


if __name__ == "__main__":
    MeasuredTriggerer(Path(sys.argv[1])).run()  # type: ignore[no-untyped-call]
