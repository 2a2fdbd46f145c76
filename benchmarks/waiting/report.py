"""The section about waiting for many jobs: runs each contender and describes the results."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.emulator_process import LOGIN_DELAY, STATEMENT_DELAY, emulator_process
from benchmarks.waiting.case import Case, conn_id
from benchmarks.waiting.measurement import Measurement, Round
from tools.output import markdown_table

PLAN = (
    *(
        Case(contender="package", waits=waits, rounds=rounds)
        for waits, rounds in {1: 10, 10: 10, 100: 10, 1000: 10, 5000: 3}.items()
    ),
    Case(contender="package", connections=20, waits=50, rounds=10),
    Case(contender="package", connections=200, waits=5, rounds=10),
    # A round of this one takes up to minutes, and differs little from the next.
    *(
        Case(contender="thread", waits=waits, rounds=rounds)
        for waits, rounds in {1: 3, 10: 2, 100: 1, 1000: 1}.items()
    ),
    Case(contender="thread", connections=200, waits=5, rounds=1),
    Case(contender="sensor", waits=1, rounds=3),
    Case(contender="sensor", waits=10, rounds=3),
)
"""How many jobs each contender waits for, and in how many rounds."""

HANGING = (
    Case(contender="package", connections=40, waits=20, rounds=5),
    Case(contender="package", connections=50, waits=20, rounds=5, hanging=10),
    Case(contender="package", connections=50, waits=20, rounds=5, hanging=10, hang_at="statement"),
)
"""The same waits: alone, and beside others that hang."""

SMALL = (
    Case(contender="package", waits=5, rounds=2),
    Case(contender="package", connections=5, waits=1, rounds=2),
    Case(contender="thread", waits=5, rounds=1),
    Case(contender="sensor", waits=1, rounds=1),
)
SMALL_HANGING = (
    Case(contender="package", connections=3, waits=1, rounds=2),
    Case(contender="package", connections=4, waits=1, rounds=2, hanging=1),
    Case(contender="package", connections=4, waits=1, rounds=2, hanging=1, hang_at="statement"),
)
"""Plans that only show that everything runs."""

EXTRAPOLATED = (100, 1000)
"""Numbers of jobs for which the sensor's figures are extrapolated from ten jobs."""

NAMES = {"package": "(a) this package", "thread": "(b) thread", "sensor": "(c) SqlSensor"}

TIMEOUT = 420
"""Seconds that a contender may take."""

HEADS = (
    "contender",
    "connections × waits",
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

Jobs that never end, and one wait for each, over one connection or many. In a **round**, all waits
wake at the same moment and poll their jobs; the round ends when all polls are answered and all waits
sleep again. The first round includes the logins; of the later rounds, the one of median length is
shown. Real driver, HTTPS, and the emulator in a process of its own. It delays a login by
{1000 * LOGIN_DELAY:.0f} ms and a statement by {1000 * STATEMENT_DELAY:.0f} ms. Each line is a fresh process.

- **(a) this package**: `CortexFineTuneTrigger`s in one event loop. In production the polls of
  different connections do not fall into the same moment: they are spread over ten seconds.
- **(b) thread**: triggers in one event loop. Each opens a connection for each poll, in a thread:
  `asyncio.to_thread(SnowflakeHook.run, ...)`, like Airflow's own trigger for Snowflake's jobs
  (`snowpark_containers.py`). A poll is three statements, because the hook switches autocommit off
  and commits. With 100 waits and more it runs one round only.
- **(c) SqlSensor** with the same statement: what Airflow offers without this package. It pokes one
  job after another, and holds a worker; lines with ≈ are extrapolated from ten pokes. With
  `mode="reschedule"`, starting a worker for each poke costs more.

Columns: **statement-s**, the server's time for all statements of the round; **seconds**, until all
polls were answered; **loop**, how late the event loop was, as seen by a task that sleeps 1 ms
again and again (a loop that is blocked for a second counts as a thousand such sleeps); **CPU**, of
the waiting process, for 1,000 polls, without the measuring task's own; **memory**, by how much the
resident memory grew from before the waits (the driver was already loaded) to after the last
round; **threads**, the largest number at the same time, without the main thread and the timers
that the driver starts, one for each statement. Logs are written as usual, to /dev/null."""

HANGING_TEXT = f"""\
### Connections that hang

(a) again. Ten of 50 connections never answer: to the first login, or to the statements that begin
with the second round. Their waits are the first to wake. The seconds until the polls of the other
{HANGING[0].connections} were answered; in parentheses, the ratio to the same round without any that
hang. (b) was not measured: its polls share asyncio's six threads here, and each one that hangs
holds one of them until the driver gives up, after minutes."""


def report(plan: Sequence[Case] = PLAN, hanging: Sequence[Case] = HANGING) -> str:
    """Measure everything, and return the results as Markdown."""
    measurements = list(measure_all(plan))
    # Those of the sensor are the last.
    measurements += [_extrapolated(measurements[-1], jobs) for jobs in EXTRAPOLATED]
    first = markdown_table(HEADS, [_row(one, one.first) for one in measurements])
    later = markdown_table(HEADS, [_row(one, one.typical) for one in measurements])
    sections = [
        TEXT,
        f"### First round\n\n{first}",
        f"### A later round\n\n{later}",
        f"{HANGING_TEXT}\n\n{_hanging_table(list(measure_all(hanging)))}",
        f"### In short\n\n{_summary(measurements)}",
    ]
    return "\n\n".join(sections)


def measure_all(plan: Sequence[Case]) -> Iterator[Measurement]:
    for case in plan:
        print(f"{NAMES[case.contender]}, {case.name} ...", file=sys.stderr)  # noqa: T201
        yield measure(case)


def measure(case: Case) -> Measurement:
    """Measure a case in a fresh process."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="cortex-benchmark-"))
        emulator = stack.enter_context(emulator_process())
        emulator.add_endless_jobs(case.jobs)
        environment = emulator.environment(folder)
        connections, hanging_url = [emulator.connection] * case.connections, ""
        if case.hanging:
            hanging = stack.enter_context(emulator_process(tls=False))
            hanging.add_endless_jobs(case.hanging * case.waits)
            connections[: case.hanging] = [hanging.connection] * case.hanging
            hanging_url = hanging.url
        for number, connection in enumerate(connections):
            environment[f"AIRFLOW_CONN_{conn_id(number).upper()}"] = connection
        measurement = Path(folder) / "measurement.json"
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "benchmarks.waiting.contender_process"),
                *(str(case), emulator.url, hanging_url, str(measurement)),
            ],
            env=environment,
            # Airflow's loggers write to it.
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=TIMEOUT,
        )
        return Measurement.parse(measurement.read_text(encoding="utf-8"))


def _extrapolated(measurement: Measurement, jobs: int) -> Measurement:
    factor = jobs / measurement.case.jobs
    typical = measurement.typical
    round_ = Round(
        logins=typical.logins * factor,
        statements=typical.statements * factor,
        statement_seconds=typical.statement_seconds * factor,
        polls=typical.polls * factor,
        seconds=typical.seconds * factor,
        cpu_seconds=typical.cpu_seconds * factor,
    )
    case = replace(measurement.case, waits=jobs)
    return replace(measurement, case=case, rounds=(round_,), is_extrapolated=True)


def _row(measurement: Measurement, round_: Round) -> list[str]:
    about = "≈ " if measurement.is_extrapolated else ""
    lag = round_.lag
    return [
        NAMES[measurement.case.contender],
        measurement.case.name,
        f"{about}{round_.logins:,.0f}",
        f"{about}{round_.statements:,.0f}",
        f"{about}{round_.statement_seconds:,.1f}",
        f"{about}{round_.seconds:,.1f}",
        *([f"{lag.p50:.1f}", f"{lag.p99:.1f}", f"{lag.max:.1f}"] if lag else ["-"] * 3),
        f"{about}{1000 * round_.cpu_seconds / measurement.case.jobs:.2f}",
        "-" if measurement.memory is None else f"{measurement.memory / 1e6:.1f}",
        "-" if measurement.threads is None else str(measurement.threads),
    ]


def _hanging_table(measurements: Sequence[Measurement]) -> str:
    """Return the table of :data:`HANGING`: the first one is that without connections that hang."""
    alone = _round_seconds(measurements[0])
    rows = []
    for one in measurements:
        lags = [round_.lag.max for round_ in one.rounds if round_.lag]
        rows.append(
            [
                one.case.name,
                *(
                    f"{seconds:.1f} ({seconds / base:.2f})"
                    for seconds, base in zip(_round_seconds(one), alone, strict=True)
                ),
                f"{max(lags):.0f}",
                str(one.threads),
            ]
        )
    heads = (
        *("connections × waits", "first round, s", "second", "later, median"),
        *("loop late, max ms", "threads"),
    )
    return markdown_table(heads, rows)


def _round_seconds(measurement: Measurement) -> tuple[float, float, float]:
    """Return how long the first, the second and a later round took, in seconds."""
    first, second, *later = [round_.seconds for round_ in measurement.rounds]
    return first, second, median(later or [second])


TARGETS = (
    ("logins in the whole wait", "1", "200"),
    ("statements in a round", "5", "200"),
    ("first round, s", "", "≤ 35"),
    ("a later round, s", "", "≤ 4"),
    ("event loop late, p99, median of the rounds, ms", "< 10", "< 20"),
    ("the same, worst round", "", "< 20"),
    ("the same, before any wait", "", ""),
    ("event loop late, max, ms", "< 50", "< 100"),
    ("the same, before any wait", "", ""),
    ("more memory than with a single wait, MB", "≤ 15", "≤ 40"),
    ("threads", "2", "≤ 10"),
    ("time of (b) / time of (a), first round", "", ""),
    ("time of (b) / time of (a), a later round", "≥ 25", ""),
)
"""What is reported, and its targets for 1 × 1,000 and for 200 × 5."""


def _summary(measurements: Sequence[Measurement]) -> str:
    """Return how this package compares with its targets: with one connection, and with many."""
    packages = [one for one in measurements if one.case.contender == "package"]
    threads = {one.case.name: one for one in measurements if one.case.contender == "thread"}
    one = max((m for m in packages if m.case.name in threads), key=_size)
    many = max(packages, key=lambda m: m.case.connections)
    figures = [_figures(m, packages[0], threads.get(m.case.name)) for m in (one, many)]
    rows = [
        (name, of_one, target_of_one, of_many, target_of_many)
        for (name, target_of_one, target_of_many), of_one, of_many in zip(
            TARGETS, *figures, strict=True
        )
    ]
    heads = ("(a)", one.case.name, "target", many.case.name, "target")
    return markdown_table(heads, rows)


def _size(measurement: Measurement) -> tuple[int, int]:
    return -measurement.case.connections, measurement.case.waits


def _figures(
    ours: Measurement, smallest: Measurement, theirs: Measurement | None
) -> tuple[str, ...]:
    lags = [round_.lag for round_ in ours.rounds if round_.lag]
    assert ours.memory is not None and smallest.memory is not None and ours.idle  # noqa: PT018, S101
    return (
        f"{ours.logins:,}",
        f"{ours.typical.statements:,.0f}",
        f"{ours.first.seconds:.1f}",
        f"{ours.typical.seconds:.1f}",
        f"{median(lag.p99 for lag in lags):.1f}",
        f"{max(lag.p99 for lag in lags):.1f}",
        f"{ours.idle.p99:.1f}",
        f"{max(lag.max for lag in lags):.1f}",
        f"{ours.idle.max:.1f}",
        f"{(ours.memory - smallest.memory) / 1e6:.1f}",
        str(ours.threads),
        f"{theirs.first.seconds / ours.first.seconds:.0f}" if theirs else "-",
        f"{theirs.typical.seconds / ours.typical.seconds:.0f}" if theirs else "-",
    )
