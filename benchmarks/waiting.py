"""
What waiting for many jobs costs, by this package and otherwise: ``python -m benchmarks.waiting``.

``python -m benchmarks.waiting package 1000 3`` measures one contender with so many jobs and rounds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.emulator import LOGIN_DELAY, STATEMENT_DELAY, emulated, environment
from benchmarks.record import Record, Round
from benchmarks.table import table

PLAN = {
    "package": {1: 10, 10: 10, 100: 10, 1000: 10, 5000: 3},
    # A round of this one takes up to minutes, and differs little from the next.
    "thread": {1: 3, 10: 2, 100: 1, 1000: 1},
    "sensor": {1: 3, 10: 3},
}
"""How many jobs each contender waits for, and in how many rounds."""

SMALL = {"package": {5: 2}, "thread": {5: 1}, "sensor": {1: 1}}
"""A plan that only shows that all of this runs."""

EXTRAPOLATED = (100, 1000)
"""How many jobs the sensor is said to poke for as long as for ten, each."""

NAMES = {"package": "(a) this package", "thread": "(b) thread", "sensor": "(c) SqlSensor"}

SECONDS = 420
"""After which a contender is given up."""

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

N jobs that are in progress for ever, and one wait for each. In a **round**, all waits wake at once and look; it
is over when all N have been answered and sleep again. The first round has the logins in it; of the later ones,
that of median length is shown. Real driver, HTTPS, the emulator in a process of its own; a login is delayed by
{1000 * LOGIN_DELAY:.0f} ms and a statement by {1000 * STATEMENT_DELAY:.0f} ms. Each line is a fresh process.

- **(a) this package**: N `CortexFineTuneTrigger`s in one event loop.
- **(b) thread**: N triggers in one event loop, of which each opens a connection for each look, in a thread:
  `asyncio.to_thread(SnowflakeHook.run, ...)`, as Airflow's own trigger for Snowflake's jobs does
  (`snowpark_containers.py`). Its look is three statements: the hook switches autocommit off, and commits. With
  100 jobs and more it does one round only.
- **(c) SqlSensor** with the same statement: what there is without this package. It pokes one job at a time, in
  the worker that it holds; lines with ≈ are extrapolated from ten pokes. With `mode="reschedule"`, starting a
  worker for each poke comes on top.

Columns: **statement-s**, for how long the server was at the round's statements, all together; **seconds**, until
all N were answered; **loop**, by how much whatever was due at any moment in the event loop was late, as a task
sees it that sleeps 1 ms again and again (a loop blocked for a second counts as a thousand such sleeps); **CPU**,
of the waiting process, for 1,000 answers, without what that task takes; **memory**, what is resident after the
last round and was not before the N waits were made, the driver being loaded; **threads**, the most at once,
beside the main one. Logs are written as always, to /dev/null."""


def report(plan: Mapping[str, Mapping[int, int]] = PLAN) -> str:
    """Measure everything, and return it as Markdown."""
    return describe(list(measure_all(plan)))


def describe(records: list[Record]) -> str:
    """Return the tables, and what follows from them."""
    sections = [TEXT]
    first = table(HEADS, [_row(record, record.first) for record in records])
    later = table(HEADS, [_row(record, record.typical) for record in records])
    sections += [f"### First round\n\n{first}", f"### A later round\n\n{later}"]
    sections.append(f"### In short\n\n{_summary(records)}")
    return "\n\n".join(sections)


def measure_all(plan: Mapping[str, Mapping[int, int]]) -> Iterator[Record]:
    for contender, sizes in plan.items():
        for jobs, rounds in sizes.items():
            print(f"{NAMES[contender]}, {jobs} jobs ...", file=sys.stderr)  # noqa: T201
            record = measure(contender, jobs, rounds)
            yield record
    # Of the last one, which is the sensor's.
    yield from (_extrapolated(record, jobs) for jobs in EXTRAPOLATED)


def measure(contender: str, jobs: int, rounds: int) -> Record:
    """Let a fresh process wait for so many jobs."""
    with emulated(jobs) as cortex, TemporaryDirectory(prefix="cortex-benchmark-") as folder:
        record = Path(folder) / "record.json"
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "benchmarks.contender"),
                *(contender, cortex.url, str(rounds), str(record)),
            ],
            env=environment(cortex, folder),
            # Airflow's loggers write there.
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=SECONDS,
        )
        return Record.parse(record.read_text(encoding="utf-8"))


def _extrapolated(record: Record, jobs: int) -> Record:
    times = jobs / record.jobs
    round_ = record.typical
    more = Round(
        logins=round_.logins * times,
        statements=round_.statements * times,
        statement_seconds=round_.statement_seconds * times,
        looks=round_.looks * times,
        seconds=round_.seconds * times,
        cpu_seconds=round_.cpu_seconds * times,
    )
    return replace(record, jobs=jobs, rounds=(more,), is_extrapolated=True)


def _row(record: Record, round_: Round) -> list[str]:
    about = "≈ " if record.is_extrapolated else ""
    delay = round_.delay
    return [
        NAMES[record.contender],
        f"{record.jobs:,}",
        f"{about}{round_.logins:,.0f}",
        f"{about}{round_.statements:,.0f}",
        f"{about}{round_.statement_seconds:,.1f}",
        f"{about}{round_.seconds:,.1f}",
        *([f"{delay.p50:.1f}", f"{delay.p99:.1f}", f"{delay.max:.1f}"] if delay else ["-"] * 3),
        f"{about}{1000 * round_.cpu_seconds / record.jobs:.2f}",
        "-" if record.memory is None else f"{record.memory / 1e6:.1f}",
        "-" if record.threads is None else str(record.threads),
    ]


def _summary(records: list[Record]) -> str:
    by = {(record.contender, record.jobs): record for record in records}
    least = min(jobs for contender, jobs in by if contender == "package")
    most = max(jobs for contender, jobs in by if contender == "thread")
    ours, one, theirs = by["package", most], by["package", least], by["thread", most]
    delays = [round_.delay for round_ in ours.rounds if round_.delay]
    assert ours.memory is not None and one.memory is not None and ours.idle  # noqa: PT018, S101
    first = theirs.first.seconds / ours.first.seconds
    later = theirs.typical.seconds / ours.typical.seconds
    rows = [
        ("logins in the whole wait", f"{ours.logins:,}", "1"),
        ("statements a round", f"{ours.typical.statements:,.0f}", "5"),
        ("event loop late, p99, ms", f"{median(d.p99 for d in delays):.1f}", "< 10"),
        ("the same, worst round", f"{max(d.p99 for d in delays):.1f}", ""),
        ("the same, before anybody waits", f"{ours.idle.p99:.1f}", ""),
        ("event loop late, at most, ms", f"{max(d.max for d in delays):.1f}", "< 50"),
        ("the same, before anybody waits", f"{ours.idle.max:.1f}", ""),
        (f"more memory than for {least}, MB", f"{(ours.memory - one.memory) / 1e6:.1f}", "≤ 15"),
        ("time of (b) / time of (a), first round", f"{first:.0f}", ""),
        ("time of (b) / time of (a), a later round", f"{later:.0f}", "≥ 25"),
    ]
    return table((f"{most:,} jobs, (a)", "measured", "target for 1,000"), rows)


def main() -> None:
    if sys.argv[1:]:
        contender, jobs, rounds = sys.argv[1:]
        print(measure(contender, int(jobs), int(rounds)))  # noqa: T201 - it is a command
    else:
        print(report())  # noqa: T201


if __name__ == "__main__":
    main()
