"""
``make soak``: hundreds of waits begin and end in one triggerer, whose memory must not grow.

Exit status 1 if something grows, or if a wait does not end as planned. A soak of less than five
minutes is too short to show growth: it only checks the waits, and does not write to RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from benchmarks import results
from benchmarks.emulator_process import EmulatorProcess, emulator_process
from benchmarks.soak.growth import Sample
from benchmarks.soak.report import HEADS, SoakResult, describe, row
from tools.output import print_line

if TYPE_CHECKING:
    from benchmarks.soak.simulated_tasks import SimulatedTasks


class SampleReader:
    """
    Reads the triggerer's measurements and adds what only this process knows.

    :param path: the file to which the triggerer writes.
    """

    def __init__(self, path: Path, tasks: SimulatedTasks, emulator: EmulatorProcess) -> None:
        self.path = path
        self.samples: list[Sample] = []
        self._tasks = tasks
        self._emulator = emulator

    def read_new(self) -> None:
        """Read and print the new measurements."""
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        for line in lines[len(self.samples) :]:
            fields = json.loads(line)
            sample = Sample(
                seconds=fields.pop("time") - self._tasks.began_at,
                finished=self._tasks.finished,
                sessions=self._emulator.counts()["sessions"],
                **fields,
            )
            self.samples.append(sample)
            _print_cells(row([sample]))


def soak(minutes: float) -> SoakResult:
    """Let waits begin and end for so many minutes."""
    with (
        TemporaryDirectory(prefix="cortex-benchmark-") as folder,
        emulator_process() as emulator,
    ):
        environment = emulator.environment(folder)
        # Otherwise each busy thread may get a heap of its own, which glibc keeps.
        environment.setdefault("MALLOC_ARENA_MAX", "1")
        # The triggerer asks its supervisor for connections, as in any deployment.
        connection = environment.pop("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
        environment["AIRFLOW__CORE__FERNET_KEY"] = Fernet.generate_key().decode()
        # Airflow reads its settings when it is imported, which happens next.
        os.environ.clear()
        os.environ.update(environment)
        from benchmarks.soak.simulated_tasks import OTHER, TEAMS, SimulatedTasks
        from benchmarks.soak.supervisor import supervise

        tasks = SimulatedTasks(emulator, seconds=60 * minutes)
        reader = SampleReader(Path(folder) / "measurements", tasks, emulator)
        _print_cells(HEADS)
        status = supervise(
            tasks,
            dict.fromkeys([*TEAMS, OTHER], connection),
            measurements=reader.path,
            environment=environment,
            on_sync=reader.read_new,
        )
        return SoakResult(
            samples=reader.samples,
            seconds=60 * minutes,
            status=status,
            outcomes=dict(tasks.outcomes),
            surprises=tasks.surprises,
            overdue=len(tasks.overdue()),
            counts=emulator.counts(),
        )


def _print_cells(cells: tuple[str, ...] | list[str]) -> None:
    print_line("  ".join(cell.rjust(8) for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    result = soak(parser.parse_args().minutes)
    section = describe(result)
    print_line(f"\n{section}")
    for surprise in result.surprises[:10]:
        print_line(f"- {surprise}")
    if result.is_short:
        sys.exit(1 if result.has_failed else 0)
    results.write([section])
    print_line(f"\nWritten to {results.RESULTS}")
    if not result.is_flat:
        sys.exit("\nNot flat.")


if __name__ == "__main__":
    main()
