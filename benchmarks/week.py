"""
Simulate what the waits of a platform team cost in a week: `python -m benchmarks week`.

As in `benchmarks/policy.py`, the package's own policy waits for made-up jobs on a made-up clock.
Here several jobs share a connection, so their polls can share statements, sessions and a warehouse.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.shared_client import GATHER_SECONDS
from benchmarks.policy import AUTO_SUSPEND, STATEMENT, adaptive, fixed, seconds_awake
from benchmarks.simulated_jobs import LONGEST_JOB, SEED, UNLIKE, Job, make_jobs
from benchmarks.waiting.case import Case
from benchmarks.waiting.measurement import Round
from benchmarks.waiting.report import measure
from tools.output import markdown_table

WEEKS = 100
SMALL = 2
"""Enough to show that the simulation runs."""

WEEKLY = 40
DAILY = 5
"""DAGs that train once a week, and once a day."""

CONNECTIONS = 10

DAYS = range(7)
JOBS = WEEKLY + DAILY * len(DAYS)
"""Jobs in a week."""

HOURS = range(6)
"""Full hours of the night at which DAGs start."""

USUAL = 0.5
"""The share of DAGs that start at their connection's usual time. The others have their own."""

BEFORE = 300.0
"""Seconds from the start of a DAG to that of its job, at most: it prepares its data first."""

SHORTEST_JOB = 600.0
"""Seconds."""

MONDAY = 1.8e9
"""The first midnight, epoch seconds. Any full hour: a mark of the grid on which waits poll."""

INTERVAL = 60.0
"""Seconds between two polls without this package."""

STATUS_INTERVAL = 5.0
"""Seconds between two requests of ``SnowflakeSqlApiOperator`` for its statement's status."""


def make_weeks(count: int) -> Iterator[list[list[Job]]]:
    """Yield *count* weeks: the jobs of each connection."""
    chance = random.Random(SEED)  # noqa: S311 - not for secrets
    jobs = iter(make_jobs(count * JOBS, shortest=SHORTEST_JOB))
    for _ in range(count):
        week: list[list[Job]] = [[] for _ in range(CONNECTIONS)]
        usual = [_time(chance) for _ in week]
        for dag in range(WEEKLY + DAILY):
            connection = dag % CONNECTIONS
            day, hour = usual[connection] if chance.random() < USUAL else _time(chance)
            for day_of_job in [day] if dag < WEEKLY else DAYS:
                started = MONDAY + 3600.0 * (24 * day_of_job + hour)
                created = started + chance.uniform(0, BEFORE)
                week[connection].append(replace(next(jobs), created=created))
        yield week


def _time(chance: random.Random) -> tuple[int, int]:
    """Return a day and an hour of its night."""
    return chance.choice(DAYS), chance.choice(HOURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the waits for some jobs with the same connection cost."""

    statements: float
    """Sent by Airflow."""
    logins: float
    awake: float
    """Seconds that the connection's warehouse is awake."""
    delay: float
    """Seconds from the end of a job to its discovery, summed over the jobs."""


def poll_with_new_session(jobs: Sequence[Job], poll: Round) -> Cost:
    """
    Poll each job with ``SqlSensor``, or with a trigger that connects for each poll.

    :param poll: what one poll costs.
    """
    waits = [fixed(job, INTERVAL) for job in jobs]
    polls = sum(map(len, waits))
    return Cost(
        statements=poll.statements * polls,
        logins=poll.logins * polls,
        awake=seconds_awake(_moments(jobs, waits)),
        delay=_delay(jobs, waits),
    )


def poll_in_one_statement(jobs: Sequence[Job]) -> Cost:
    """
    Wait for each job with ``SnowflakeSqlApiOperator``: a statement polls until the job has ended.

    Airflow sends the statement, and then only asks for its status. That needs no warehouse, and no
    login: each request carries a token.
    """
    waits = [fixed(job, INTERVAL) for job in jobs]
    seen = [math.ceil((ages[-1] + STATEMENT) / STATUS_INTERVAL) * STATUS_INTERVAL for ages in waits]
    return Cost(
        statements=len(jobs),
        logins=0,
        # While it waits, the statement keeps the warehouse awake: as if it polled without a pause
        # that is longer than AUTO_SUSPEND. INTERVAL is not longer.
        awake=seconds_awake(_moments(jobs, waits)),
        delay=sum(age - job.ends for job, age in zip(jobs, seen, strict=True)),
    )


def poll_with_package(jobs: Sequence[Job], *, knows_previous: bool = False) -> Cost:
    """
    Wait for each job with this package's deferrable sensor: one poll on a worker, the others in
    one triggerer.

    :param knows_previous: ``expected_duration="previous"``.
    """
    waits = [
        adaptive(
            job,
            PollPolicy(expected_duration=job.previous if knows_previous else None, offset=0.0),
        )
        for job in jobs
    ]
    in_triggerer = _moments(jobs, [ages[1:] for ages in waits])
    spans = [
        (job.created + STATEMENT, job.created + ages[-1] + STATEMENT)
        for job, ages in zip(jobs, waits, strict=True)
    ]
    return Cost(
        statements=len(jobs) + shared_statements(in_triggerer),
        logins=len(jobs) + shared_sessions(spans),
        awake=seconds_awake(_moments(jobs, waits)),
        delay=_delay(jobs, waits),
    )


def shared_statements(polls: Iterable[float]) -> int:
    """Return how many statements a triggerer sends for *polls* that are due at these moments."""
    count, began = 0, -math.inf
    for moment in sorted(polls):
        if moment > began + GATHER_SECONDS:
            count, began = count + 1, moment
    return count


def shared_sessions(waits: Iterable[tuple[float, float]]) -> int:
    """
    Return how many sessions a triggerer opens for *waits* with the same connection.

    A session lasts as long as any wait.

    :param waits: the begin and the end of each.
    """
    count, until = 0, -math.inf
    for begin, end in sorted(waits):
        count += begin > until
        until = max(until, end)
    return count


def _moments(jobs: Sequence[Job], waits: Sequence[Sequence[float]]) -> list[float]:
    """Return when *jobs* are polled, epoch seconds; *waits* has the ages of each."""
    return [job.created + age for job, ages in zip(jobs, waits, strict=True) for age in ages]


def _delay(jobs: Sequence[Job], waits: Sequence[Sequence[float]]) -> float:
    return sum(ages[-1] + STATEMENT - job.ends for job, ages in zip(jobs, waits, strict=True))


def costs(weeks: int, poll: Round) -> dict[str, Cost]:
    """
    Return what each way to wait costs per job, by its name; the others compare with the first.

    :param poll: what one poll costs that connects.
    """
    ways: dict[str, Callable[[Sequence[Job]], Cost]] = {
        "(a) `SqlSensor`, every 60 s": partial(poll_with_new_session, poll=poll),
        "(b) `SnowflakeSqlApiOperator`, deferred": poll_in_one_statement,
        "(c) this package": poll_with_package,
        '(d) the same, `expected_duration="previous"`': partial(
            poll_with_package, knows_previous=True
        ),
    }
    connections = [jobs for week in make_weeks(weeks) for jobs in week]
    return {name: _mean([way(jobs) for jobs in connections], weeks) for name, way in ways.items()}


def _mean(found: Sequence[Cost], weeks: int) -> Cost:
    """Return the cost per job."""
    jobs = weeks * JOBS
    return Cost(
        statements=sum(cost.statements for cost in found) / jobs,
        logins=sum(cost.logins for cost in found) / jobs,
        awake=sum(cost.awake for cost in found) / jobs,
        delay=sum(cost.delay for cost in found) / jobs,
    )


TEXT = f"""\
## A week of a platform team

Simulated as above: {WEEKLY} DAGs that train a model once a week, and {DAILY} that do so daily, make
{JOBS} jobs a week. The means of {{weeks}} weeks. Assumed:

- {CONNECTIONS} connections, each with a warehouse of its own, have four or five DAGs each; half of
  the connections have a daily one;
- DAGs start at a full hour from {HOURS[0]} to {HOURS[-1]} o'clock. Each connection has a usual night
  and hour: {USUAL:.0%} of its DAGs start then, the others at times of their own. A job starts up to
  {BEFORE / 60:.0f} minutes after its DAG;
- jobs take {SHORTEST_JOB / 60:.0f} minutes to {LONGEST_JOB / 3600:.0f} hours, with evenly distributed
  logarithms and progress as above; the previous run's duration differs by up to {UNLIKE:.0%};
- a DESCRIBE takes {STATEMENT:.0f} s and needs a warehouse, which is awake until {AUTO_SUSPEND:.0f} s
  after its end, and is used by nothing else. Switching autocommit off, COMMIT, logins and requests
  for a statement's status need none. Airflow polls when a poll is due, no session is lost, and
  nothing is restarted.

The ways to wait:

- **(a)** `SqlSensor` with DESCRIBE, `mode="reschedule"`: a poll is {{statements:.0f}} statements
  (autocommit off, DESCRIBE, COMMIT) and {{logins:.0f}} login, as counted by the emulator when this
  report was made. A trigger that connects for each poll, like the official provider's for Snowpark
  container jobs, sends the same.
- **(b)** `SnowflakeSqlApiOperator(deferrable=True)`, the only deferrable operator of the official
  provider that runs any SQL (`SQLExecuteQueryOperator` is not deferrable). It waits for a
  *statement*, but CREATE returns at once. So its statement is a Snowflake Scripting block: a loop of
  DESCRIBE and `SYSTEM$WAIT({INTERVAL:.0f})` until the job has ended. The operator's trigger asks for
  the status of that statement every {STATUS_INTERVAL:.0f} s over HTTP: no statement, no login. It is
  assumed that a running statement keeps the warehouse awake, also while it only waits. The DESCRIBEs
  inside the block, as many as with (a), are not counted: Airflow does not send them. This is read in
  the operator's source code, and not run: the emulator has no SQL API.
- **(c)** `CortexFineTuneSensor(deferrable=True)`: a login and a poll on a worker, and then one
  triggerer, which runs all week. It logs in if it has no other wait with the same connection, and
  polls that are due together share a statement. The task that resumes sends nothing.
- **(d)** The same, and each job's previous duration is known.

Left out, since all have it: CREATE, and what the next task does. In parentheses: the ratio to (a).
**delay**: from the end of a job to its discovery, without the time that Airflow then needs."""


def table(found: Mapping[str, Cost]) -> str:
    """Return the table of *found*, with ratios to the first."""
    base, *_ = found.values()
    heads = ("", "statements", "logins", "awake, s", "mean delay, s", "awake, hours a week")
    rows = [
        (
            name,
            f"{cost.statements:.1f} ({cost.statements / base.statements:.2f})",
            f"{cost.logins:.1f} ({cost.logins / base.logins:.2f})",
            f"{cost.awake:.0f} ({cost.awake / base.awake:.2f})",
            f"{cost.delay:.0f} ({cost.delay / base.delay:.2f})",
            f"{cost.awake * JOBS / 3600:.1f}",
        )
        for name, cost in found.items()
    ]
    return markdown_table(heads, rows)


def report(weeks: int = WEEKS) -> str:
    """Count what a poll costs that connects, simulate, and return the results as Markdown."""
    poll = measure(Case(contender="sensor", waits=1, rounds=1)).first
    text = TEXT.format(weeks=weeks, statements=poll.statements, logins=poll.logins)
    return f"{text}\n\n{table(costs(weeks, poll))}"
