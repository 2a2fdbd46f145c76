"""The section about waiting for many jobs: runs each contender and describes the results."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.emulator_process import LOGIN_DELAY, STATEMENT_DELAY, emulator_process
from benchmarks.waiting.measurement import Measurement, Round
from tools.output import markdown_table

PLAN = {
    "package": {1: 10, 10: 10, 100: 10, 1000: 10, 5000: 3},
    # A round of this one takes up to minutes, and differs little from the next.
    "thread": {1: 3, 10: 2, 100: 1, 1000: 1},
    "sensor": {1: 3, 10: 3},
}
"""How many jobs each contender waits for, and in how many rounds."""

SMALL = {"package": {5: 2}, "thread": {5: 1}, "sensor": {1: 1}}
"""A plan that only shows that everything runs."""

EXTRAPOLATED = (100, 1000)
"""Numbers of jobs for which the sensor's figures are extrapolated from ten jobs."""

NAMES = {"package": "(a) this package", "thread": "(b) thread", "sensor": "(c) SqlSensor"}

TIMEOUT = 420
"""Seconds that a contender may take."""

HEADS = (
    "contender",
    "jobs",
    "logins",
    "statements",
    "statement-s",
    "seconds",
    "loop p50 ms",
    "p99",
    "max",
    "CPU s/1,000",
    "memory MB",
    "threads",
)

TEXT = f"""\
## Waiting for many jobs

N jobs that never end, and one wait for each. In a **round**, all waits wake at the same moment and
poll their jobs; the round ends when all N polls are answered and all waits sleep again. The first
round includes the logins; of the later rounds, the one of median length is shown. Real driver,
HTTPS, and the emulator in a process of its own. It delays a login by {1000 * LOGIN_DELAY:.0f} ms and
a statement by {1000 * STATEMENT_DELAY:.0f} ms. Each line is a fresh process.

- **(a) this package**: N `CortexFineTuneTrigger`s in one event loop.
- **(b) thread**: N triggers in one event loop. Each opens a connection for each poll, in a thread:
  `asyncio.to_thread(SnowflakeHook.run, ...)`, like Airflow's own trigger for Snowflake's jobs
  (`snowpark_containers.py`). A poll is three statements, because the hook switches autocommit off
  and commits. With 100 jobs and more it runs one round only.
- **(c) SqlSensor** with the same statement: what Airflow offers without this package. It pokes one
  job after another, and holds a worker; lines with ≈ are extrapolated from ten pokes. With
  `mode="reschedule"`, starting a worker for each poke costs more.

Columns: **statement-s**, the server's time for all statements of the round; **seconds**, until all
N polls were answered; **loop**, how late the event loop was, as seen by a task that sleeps 1 ms
again and again (a loop that is blocked for a second counts as a thousand such sleeps); **CPU**, of
the waiting process, for 1,000 polls, without the measuring task's own; **memory**, by how much the
resident memory grew from before the N waits (the driver was already loaded) to after the last
round; **threads**, the largest number at the same time, without the main thread. Logs are written
as usual, to /dev/null."""


def report(plan: Mapping[str, Mapping[int, int]] = PLAN) -> str:
    """Measure everything, and return the results as Markdown."""
    return describe(list(measure_all(plan)))


def describe(measurements: list[Measurement]) -> str:
    """Return the section as Markdown."""
    first = markdown_table(HEADS, [_row(one, one.first) for one in measurements])
    later = markdown_table(HEADS, [_row(one, one.typical) for one in measurements])
    sections = [
        TEXT,
        f"### First round\n\n{first}",
        f"### A later round\n\n{later}",
        f"### In short\n\n{_summary(measurements)}",
    ]
    return "\n\n".join(sections)


def measure_all(plan: Mapping[str, Mapping[int, int]]) -> Iterator[Measurement]:
    for contender, sizes in plan.items():
        for jobs, rounds in sizes.items():
            print(f"{NAMES[contender]}, {jobs} jobs ...", file=sys.stderr)  # noqa: T201
            measurement = measure(contender, jobs, rounds)
            yield measurement
    # The last measurement is the sensor's.
    yield from (_extrapolated(measurement, jobs) for jobs in EXTRAPOLATED)


def measure(contender: str, jobs: int, rounds: int) -> Measurement:
    """Measure a contender with a number of jobs, in a fresh process."""
    with (
        TemporaryDirectory(prefix="cortex-benchmark-") as folder,
        emulator_process() as emulator,
    ):
        emulator.add_endless_jobs(jobs)
        measurement = Path(folder) / "measurement.json"
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "benchmarks.waiting.contender_process"),
                *(contender, emulator.url, str(rounds), str(measurement)),
            ],
            env=emulator.environment(folder),
            # Airflow's loggers write to it.
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=TIMEOUT,
        )
        return Measurement.parse(measurement.read_text(encoding="utf-8"))


def _extrapolated(measurement: Measurement, jobs: int) -> Measurement:
    factor = jobs / measurement.jobs
    typical = measurement.typical
    round_ = Round(
        logins=typical.logins * factor,
        statements=typical.statements * factor,
        statement_seconds=typical.statement_seconds * factor,
        polls=typical.polls * factor,
        seconds=typical.seconds * factor,
        cpu_seconds=typical.cpu_seconds * factor,
    )
    return replace(measurement, jobs=jobs, rounds=(round_,), is_extrapolated=True)


def _row(measurement: Measurement, round_: Round) -> list[str]:
    about = "≈ " if measurement.is_extrapolated else ""
    lag = round_.lag
    return [
        NAMES[measurement.contender],
        f"{measurement.jobs:,}",
        f"{about}{round_.logins:,.0f}",
        f"{about}{round_.statements:,.0f}",
        f"{about}{round_.statement_seconds:,.1f}",
        f"{about}{round_.seconds:,.1f}",
        *([f"{lag.p50:.1f}", f"{lag.p99:.1f}", f"{lag.max:.1f}"] if lag else ["-"] * 3),
        f"{about}{1000 * round_.cpu_seconds / measurement.jobs:.2f}",
        "-" if measurement.memory is None else f"{measurement.memory / 1e6:.1f}",
        "-" if measurement.threads is None else str(measurement.threads),
    ]


def _summary(measurements: list[Measurement]) -> str:
    by = {(one.contender, one.jobs): one for one in measurements}
    fewest = min(jobs for contender, jobs in by if contender == "package")
    most = max(jobs for contender, jobs in by if contender == "thread")
    ours, smallest, theirs = by["package", most], by["package", fewest], by["thread", most]
    lags = [round_.lag for round_ in ours.rounds if round_.lag]
    assert ours.memory is not None and smallest.memory is not None and ours.idle  # noqa: PT018, S101
    first = theirs.first.seconds / ours.first.seconds
    later = theirs.typical.seconds / ours.typical.seconds
    memory = (ours.memory - smallest.memory) / 1e6
    rows = [
        ("logins in the whole wait", f"{ours.logins:,}", "1"),
        ("statements in a round", f"{ours.typical.statements:,.0f}", "5"),
        ("event loop late, p99, ms", f"{median(lag.p99 for lag in lags):.1f}", "< 10"),
        ("the same, worst round", f"{max(lag.p99 for lag in lags):.1f}", ""),
        ("the same, before any wait", f"{ours.idle.p99:.1f}", ""),
        ("event loop late, max, ms", f"{max(lag.max for lag in lags):.1f}", "< 50"),
        ("the same, before any wait", f"{ours.idle.max:.1f}", ""),
        (f"more memory than with {fewest}, MB", f"{memory:.1f}", "≤ 15"),
        ("time of (b) / time of (a), first round", f"{first:.0f}", ""),
        ("time of (b) / time of (a), a later round", f"{later:.0f}", "≥ 25"),
    ]
    return markdown_table((f"{most:,} jobs, (a)", "measured", "target for 1,000"), rows)
