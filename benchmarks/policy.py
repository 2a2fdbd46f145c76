"""
Simulate what adaptive polling saves and what it costs: `python -m benchmarks.policy`.

The package's own policy waits for made-up jobs on a made-up clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from statistics import fmean

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import JobPoller
from benchmarks.simulated_jobs import (
    LONGEST_JOB,
    PENDING,
    SHORTEST_JOB,
    TAIL,
    UNEVEN,
    UNLIKE,
    Job,
    make_jobs,
)
from tools.output import markdown_table, print_line

JOBS = 10_000
SMALL = 200
"""Enough to show that the simulation runs."""

STATEMENT = 1.0
"""Seconds that the statement of a poll takes."""

AUTO_SUSPEND = 60.0
"""Seconds that a warehouse then stays awake: Snowflake's advice, and its minimum charge."""

SHARING = 20
"""Jobs that share a warehouse."""

FIXED = (30.0, 60.0, 120.0, 300.0)
"""Intervals for the table, in seconds."""

CURVE = (30, 60, 75, 90, 105, 120, 150, 180, 240, 300, 420, 600, 900, 1500, 3600)
"""Intervals for the curve of fixed intervals, in seconds."""

BOUNDS = ((30, 300), (60, 120), (60, 300), (60, 600), (90, 300), (120, 300))
"""Shortest and longest pauses for the adaptive policy's own curve, in seconds."""


@dataclass(slots=True)
class Clock:
    """A clock that the simulation moves."""

    now: float

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now


class Silent:
    """Reports nothing."""

    def answered(self, answer: FineTuneJob, *, delay: float) -> None:
        """Ignore a successful poll."""

    def failed(self, error: CortexError, *, delay: float) -> None:
        """Ignore a failed poll."""


def adaptive(job: Job, policy: PollPolicy, *, remembers: bool = True) -> list[float]:
    """
    Return the ages at which *policy* polls *job*; the last one is after its end.

    The worker polls at once, and then defers to a triggerer.

    :param remembers: whether one process waits to the end. A rescheduled sensor starts a new one
        for each poll.
    """
    clock = Clock(job.created + STATEMENT)
    poller = _poller(job, policy, clock)
    ages = [0.0]
    delay: float | None = poller.first_delay()
    while delay is not None:
        clock.now += delay
        ages.append(clock.now - job.created)
        clock.now += STATEMENT
        if not remembers:
            poller = _poller(job, policy, clock)
        delay = poller.after_poll(job.polled(ages[-1]))
    return ages


def _poller(job: Job, policy: PollPolicy, clock: Clock) -> JobPoller:
    return JobPoller(
        job_id="ft_1",
        started_at=job.created,
        deadline=math.inf,
        policy=policy,
        report=Silent(),
        clock=clock.time,
    )


def fixed(job: Job, interval: float) -> list[float]:
    """Return the ages at which Airflow polls *job*: it sleeps for *interval* after each poll."""
    rounds = math.ceil(job.ends / (interval + STATEMENT))
    return [poll * (interval + STATEMENT) for poll in range(rounds + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What polling cost, and how late it discovered the ends, over all jobs."""

    polls: float
    """Per job."""
    awake: float
    """Seconds per job that a warehouse is awake, if it serves one job alone."""
    shared: float
    """The same, if :data:`SHARING` jobs share a warehouse."""
    delay: float
    """Seconds from the end of a job to its discovery, on average."""
    late: float
    """The 95th percentile of the delay."""
    relative: float
    """The delay as a share of the job's duration, on average."""


def outcome(jobs: Sequence[Job], waits: Iterable[Sequence[float]]) -> Outcome:
    """
    Measure how *jobs* were polled.

    :param waits: for each job, the ages at which it was polled.
    """
    polls = list(waits)
    delays = [ages[-1] + STATEMENT - job.ends for job, ages in zip(jobs, polls, strict=True)]
    moments = [[job.created + age for age in ages] for job, ages in zip(jobs, polls, strict=True)]
    together = (
        list(chain.from_iterable(moments[first : first + SHARING]))
        for first in range(0, len(jobs), SHARING)
    )
    return Outcome(
        polls=fmean(map(len, polls)),
        awake=fmean(map(seconds_awake, polls)),
        shared=sum(map(seconds_awake, together)) / len(jobs),
        delay=fmean(delays),
        late=sorted(delays)[len(delays) * 19 // 20],
        relative=fmean(delay / job.ends for delay, job in zip(delays, jobs, strict=True)),
    )


def seconds_awake(polls: Sequence[float]) -> float:
    """Return for how many seconds *polls* keep a warehouse awake."""
    span = STATEMENT + AUTO_SUSPEND
    return span + sum(min(span, later - sooner) for sooner, later in pairwise(sorted(polls)))


def wait_fixed(jobs: Sequence[Job], interval: float) -> Outcome:
    """Poll *jobs* at a fixed interval, in seconds."""
    return outcome(jobs, (fixed(job, interval) for job in jobs))


def wait_adaptive(
    jobs: Sequence[Job],
    *,
    shortest: float = 60.0,
    longest: float = 300.0,
    knows_previous: bool = False,
    remembers: bool = True,
) -> Outcome:
    """Poll *jobs* adaptively; *knows_previous*: the duration of the previous run is known."""
    return outcome(
        jobs,
        (
            adaptive(
                job,
                PollPolicy(
                    shortest=shortest,
                    longest=longest,
                    expected_duration=job.previous if knows_previous else None,
                    # A new process does not know when its poll was due.
                    offset=0.0 if remembers else None,
                ),
                remembers=remembers,
            )
            for job in jobs
        ),
    )


def comparison(jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Return the outcome of each way to poll, by its name."""
    return {f"fixed, {interval:.0f} s": wait_fixed(jobs, interval) for interval in FIXED} | {
        "adaptive": wait_adaptive(jobs),
        "adaptive, rescheduled": wait_adaptive(jobs, remembers=False),
        "adaptive, previous run known": wait_adaptive(jobs, knows_previous=True),
        "the same, rescheduled": wait_adaptive(jobs, knows_previous=True, remembers=False),
    }


def delay_of_fixed(points: Iterable[tuple[float, float]], awake: float) -> float:
    """
    Return the mean delay of the fixed interval that keeps a warehouse awake for *awake* seconds.

    :param points: seconds awake and mean delay of some fixed intervals.
    """
    curve = sorted(points)
    for (less, late), (more, early) in pairwise(curve):
        if less <= awake <= more:
            return late + (early - late) * (awake - less) / (more - less)
    return curve[0][1] if awake < curve[0][0] else curve[-1][1]


def frontier(jobs: Sequence[Job]) -> Iterator[tuple[str, Outcome, float, float]]:
    """
    Yield the outcome of the adaptive policy within each of :data:`BOUNDS`.

    Two ratios follow: its delay to that of the fixed interval that keeps the warehouse awake for
    as long, for a job alone and for jobs that share a warehouse.
    """
    outcomes = [wait_fixed(jobs, interval) for interval in CURVE]
    alone = [(found.awake, found.delay) for found in outcomes]
    sharing = [(found.shared, found.delay) for found in outcomes]
    for knows_previous in (False, True):
        for shortest, longest in BOUNDS:
            name = f"{shortest} to {longest} s{', previous run known' if knows_previous else ''}"
            found = wait_adaptive(
                jobs, shortest=shortest, longest=longest, knows_previous=knows_previous
            )
            yield (
                name,
                found,
                found.delay / delay_of_fixed(alone, found.awake),
                found.delay / delay_of_fixed(sharing, found.shared),
            )


TEXT = f"""\
## When to poll

Simulated: the package's own policy waits for {{jobs:,}} made-up jobs on a made-up clock. Assumed,
because only Snowflake knows:

- durations from {SHORTEST_JOB / 60:.1f} minutes to {LONGEST_JOB / 3600:.0f} hours, with evenly
  distributed logarithms;
- 1 to 10 epochs, mostly 3, of equal length ±{UNEVEN:.0%}, with a step of progress after each;
- PENDING for up to {PENDING:.0%} of the time, and up to {TAIL:.0%} of it after the last epoch;
- the duration of the **previous** run, if known, differs by up to {UNLIKE:.0%}.

A poll takes {STATEMENT:.0f} s, and a warehouse is **awake** from its start until
{AUTO_SUSPEND:.0f} s after its end. **{SHARING} on one**: so many jobs, started within an hour,
share a warehouse; this is the share of each. **delay**: from the end of a job to its discovery.
**relative**: the delay as a share of the job's duration, the mean over all jobs. A *rescheduled*
sensor remembers nothing between two polls. In parentheses: the ratio to a fixed 60 s."""

FRONTIER = f"""\
### The frontier

Each pair of bounds on the pauses trades delay for awake time, and so does each fixed interval. The
last two columns compare the adaptive delay with that of the fixed interval which keeps the
warehouse awake for as long: for a job alone, and for {SHARING} on one warehouse.

No policy can have a mean delay below half of its shortest pause. So adaptive polling gains most
where a warehouse sleeps most. Of {SHARING} jobs on one warehouse about a dozen run at the same
time, and one of them is nearly always close to its end and polled every minute. That warehouse
sleeps little, unless the shortest pause is longer."""


def comparison_table(jobs: Sequence[Job]) -> str:
    """Return the table of :func:`comparison`, with ratios to a fixed interval of 60 s."""
    outcomes = comparison(jobs)
    base = outcomes["fixed, 60 s"]
    heads = (
        "",
        "polls",
        "awake, s per job",
        f"{SHARING} on one, s per job",
        "mean delay, s",
        "p95, s",
        "relative",
    )
    rows = [
        (
            name,
            f"{found.polls:.1f}",
            f"{found.awake:.0f} ({found.awake / base.awake:.2f})",
            f"{found.shared:.0f} ({found.shared / base.shared:.2f})",
            f"{found.delay:.0f} ({found.delay / base.delay:.2f})",
            f"{found.late:.0f}",
            f"{found.relative:.1%}",
        )
        for name, found in outcomes.items()
    ]
    return markdown_table(heads, rows)


def curve_table(jobs: Sequence[Job]) -> str:
    """Return the outcome of fixed intervals, as ratios to one of 60 s."""
    base = wait_fixed(jobs, 60.0)
    rows = [
        (
            f"fixed, {interval} s",
            f"{found.awake / base.awake:.2f}",
            f"{found.shared / base.shared:.2f}",
            f"{found.delay:.0f}",
        )
        for interval, found in ((interval, wait_fixed(jobs, interval)) for interval in CURVE)
    ]
    return markdown_table(("", "awake", f"{SHARING} on one", "mean delay, s"), rows)


def frontier_table(jobs: Sequence[Job]) -> str:
    """Return the table of :func:`frontier`."""
    base = wait_fixed(jobs, 60.0)
    heads = (
        "pauses of",
        "awake",
        f"{SHARING} on one",
        "mean delay, s",
        "of a fixed one's",
        f"{SHARING} on one",
    )
    rows = [
        (
            name,
            f"{found.awake / base.awake:.2f}",
            f"{found.shared / base.shared:.2f}",
            f"{found.delay:.0f}",
            f"{alone:.2f}",
            f"{sharing:.2f}",
        )
        for name, found, alone, sharing in frontier(jobs)
    ]
    return markdown_table(heads, rows)


def report(count: int = JOBS) -> str:
    """Simulate everything, and return the results as Markdown."""
    jobs = make_jobs(count)
    text = TEXT.format(jobs=count)
    return "\n\n".join(
        [text, comparison_table(jobs), FRONTIER, frontier_table(jobs), curve_table(jobs)]
    )


if __name__ == "__main__":
    print_line(report())
