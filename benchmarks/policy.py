"""
What the adaptive wait saves, and what it costs, by simulation: `python -m benchmarks.policy`.

The package's own policy waits for made-up jobs on a made-up clock. Nobody outside Snowflake knows how
long jobs take and how their progress moves: what is assumed stands at the top, with its reasons.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from statistics import fmean

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.waiting.policy import PollPolicy
from airflow_provider_cortex.waiting.poller import Poller
from benchmarks.table import table

JOBS = 10_000
SMALL = 200
"""So few jobs only show that all of this runs."""

SEED = 20

SHORTEST_JOB = 150.0
LONGEST_JOB = 3 * 3600.0
"""
Seconds. Durations are spread evenly over their logarithms in between: as many jobs of 5 to 10 minutes
as of 50 to 100.
"""

EPOCHS = (10, 12, 40, 8, 12, 3, 2, 4, 1, 8)
"""
Of 100 jobs, how many have 1, 2 … 10 epochs, the number that Cortex allows. Mostly 3: Snowflake's page
reckons its limits with 3, and its sample answer shows a progress of 0.333.
"""

UNEVEN = 0.05
"""By what share an epoch may be longer or shorter than the others."""

PENDING = 0.15
"""What share of its duration a job is PENDING, at most."""

TAIL = 0.05
"""What share of its duration a job goes on after its last epoch, at most: its model is being stored."""

UNLIKE = 0.15
"""By what share the previous run may have been longer or shorter."""

LOOK = 1.0
"""Seconds that the statement takes."""

AUTO_SUSPEND = 60.0
"""Seconds that a warehouse stays awake after it: Snowflake's own advice, and its least charge."""

SHARING = 20
"""Jobs that share a warehouse."""

WITHIN = 3600.0
"""Seconds in which those are started, at random."""

FIXED = (30.0, 60.0, 120.0, 300.0)
"""Intervals, in seconds, for the table."""

CURVE = (30, 60, 75, 90, 105, 120, 150, 180, 240, 300, 420, 600, 900, 1500, 3600)
"""Intervals, in seconds, for the curve that the adaptive wait is held against."""

BOUNDS = ((30, 300), (60, 120), (60, 300), (60, 600), (90, 300), (120, 300))
"""Shortest and longest gaps, in seconds, for the adaptive wait's own curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job, as it will turn out: seconds since it was created, but for *created*."""

    created: float
    """Epoch seconds."""
    begins: float
    """When it is no longer PENDING."""
    epochs: tuple[float, ...]
    """When each of them is over."""
    ends: float
    previous: float
    """How long the same job took the last time."""

    def seen(self, age: float) -> FineTuneJob:
        """Return what Cortex tells of the job at *age*."""
        if age >= self.ends:
            return _record(JobStatus.SUCCESS, 1.0)
        if age < self.begins:
            return _record(JobStatus.PENDING, 0.0)
        done = bisect_right(self.epochs, age)
        return _record(JobStatus.IN_PROGRESS, round(done / len(self.epochs), 3))


@cache
def _record(status: JobStatus, progress: float) -> FineTuneJob:
    """Return an answer with no more in it than Snowflake's sample of a running job has."""
    return FineTuneJob(id="ft_1", status=status, reported_status=status.value, progress=progress)


def make_jobs(count: int, *, seed: int = SEED) -> list[Job]:
    """Return *count* jobs: the same ones for the same *seed*."""
    chance = random.Random(seed)  # noqa: S311 - nothing to keep secret
    return [_make_job(chance) for _ in range(count)]


def _make_job(chance: random.Random) -> Job:
    ends = math.exp(chance.uniform(math.log(SHORTEST_JOB), math.log(LONGEST_JOB)))
    (count,) = chance.choices(range(1, len(EPOCHS) + 1), EPOCHS)
    begins = ends * chance.uniform(0, PENDING)
    trained = ends * (1 - chance.uniform(0, TAIL))
    lengths = [chance.uniform(1 - UNEVEN, 1 + UNEVEN) for _ in range(count)]
    unit = (trained - begins) / sum(lengths)
    return Job(
        # Any moment will do: what matters is where on the grid it falls.
        created=1.8e9 + chance.uniform(0, WITHIN),
        begins=begins,
        epochs=tuple(begins + unit * sum(lengths[: done + 1]) for done in range(count)),
        ends=ends,
        previous=ends * chance.uniform(1 - UNLIKE, 1 + UNLIKE),
    )


@dataclass(slots=True)
class Clock:
    """Time that passes when it is told to."""

    now: float

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now


def adaptive(job: Job, policy: PollPolicy, *, remembers: bool = True) -> list[float]:
    """
    Return the ages at which a wait by *policy* looks at *job*, the last of them over its end.

    The worker looks at once, and hands the wait over to a triggerer.

    :param remembers: whether the waiting process goes on. A rescheduled sensor begins anew each time.
    """
    clock = Clock(job.created + LOOK)
    poller = _poller(job, policy, clock)
    ages = [0.0]
    delay: float | None = poller.first_delay()
    while delay is not None:
        clock.now += delay
        ages.append(clock.now - job.created)
        clock.now += LOOK
        if not remembers:
            poller = _poller(job, policy, clock)
        delay = poller.observe(job.seen(ages[-1]))
    return ages


def _poller(job: Job, policy: PollPolicy, clock: Clock) -> Poller:
    return Poller(
        job_id="ft_1",
        started_at=job.created,
        deadline=math.inf,
        policy=policy,
        clock=clock.time,
    )


def fixed(job: Job, interval: float) -> list[float]:
    """Return the ages at which Airflow looks at *job*: it sleeps for *interval* after each look."""
    rounds = math.ceil(job.ends / (interval + LOOK))
    return [look * (interval + LOOK) for look in range(rounds + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way of waiting comes to, over all jobs."""

    looks: float
    """Per job."""
    awake: float
    """Seconds that a warehouse is awake per job, if it has no other."""
    shared: float
    """The same, if :data:`SHARING` jobs share the warehouse."""
    delay: float
    """Seconds from the end of a job to its discovery."""
    late: float
    """The delay that one in twenty exceeds."""
    relative: float
    """The mean of the delay's share of the job's duration."""


def outcome(jobs: Sequence[Job], waits: Iterable[Sequence[float]]) -> Outcome:
    """
    Measure how *jobs* were waited for.

    :param waits: the ages at which each was looked at.
    """
    looks = list(waits)
    delays = [ages[-1] + LOOK - job.ends for job, ages in zip(jobs, looks, strict=True)]
    moments = [[job.created + age for age in ages] for job, ages in zip(jobs, looks, strict=True)]
    together = (
        list(chain.from_iterable(moments[first : first + SHARING]))
        for first in range(0, len(jobs), SHARING)
    )
    return Outcome(
        looks=fmean(map(len, looks)),
        awake=fmean(map(_awake, looks)),
        shared=sum(map(_awake, together)) / len(jobs),
        delay=fmean(delays),
        late=sorted(delays)[len(delays) * 19 // 20],
        relative=fmean(delay / job.ends for delay, job in zip(delays, jobs, strict=True)),
    )


def _awake(looks: Sequence[float]) -> float:
    """Return for how many seconds *looks* keep a warehouse awake."""
    span = LOOK + AUTO_SUSPEND
    return span + sum(min(span, later - sooner) for sooner, later in pairwise(sorted(looks)))


def wait_fixed(jobs: Sequence[Job], interval: float) -> Outcome:
    """Wait for *jobs* with a fixed interval, in seconds."""
    return outcome(jobs, (fixed(job, interval) for job in jobs))


def wait_adaptive(
    jobs: Sequence[Job],
    *,
    shortest: float = 60.0,
    longest: float = 300.0,
    knows_previous: bool = False,
    remembers: bool = True,
) -> Outcome:
    """Wait for *jobs* by the adaptive policy; *knows_previous* is about the previous run."""
    return outcome(
        jobs,
        (
            adaptive(
                job,
                PollPolicy(
                    shortest=shortest,
                    longest=longest,
                    expected_duration=job.previous if knows_previous else None,
                    # What begins anew does not know when it was due.
                    offset=0.0 if remembers else None,
                ),
                remembers=remembers,
            )
            for job in jobs
        ),
    )


def comparison(jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Return what each way of waiting comes to, by its name."""
    return {f"fixed, {interval:.0f} s": wait_fixed(jobs, interval) for interval in FIXED} | {
        "adaptive": wait_adaptive(jobs),
        "adaptive, rescheduled": wait_adaptive(jobs, remembers=False),
        "adaptive, previous run known": wait_adaptive(jobs, knows_previous=True),
        "the same, rescheduled": wait_adaptive(jobs, knows_previous=True, remembers=False),
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """What fixed intervals come to: seconds awake, and the delay that goes with them."""

    points: tuple[tuple[float, float], ...]

    def delay(self, awake: float) -> float:
        """Return the mean delay of the fixed interval that keeps a warehouse awake for *awake*."""
        points = sorted(self.points)
        for (less, late), (more, early) in pairwise(points):
            if less <= awake <= more:
                return late + (early - late) * (awake - less) / (more - less)
        return points[0][1] if awake < points[0][0] else points[-1][1]


def frontier(jobs: Sequence[Job]) -> Iterator[tuple[str, Outcome, float, float]]:
    """
    Yield what the adaptive wait comes to within each of :data:`BOUNDS`.

    With it, the share of its delay in that of a fixed interval that keeps the warehouse awake for just
    as long: for a job alone, and for those that share one.
    """
    outcomes = [wait_fixed(jobs, interval) for interval in CURVE]
    alone = Curve(tuple((fix.awake, fix.delay) for fix in outcomes))
    sharing = Curve(tuple((fix.shared, fix.delay) for fix in outcomes))
    for knows_previous in (False, True):
        for shortest, longest in BOUNDS:
            name = f"{shortest} to {longest} s{', previous run known' if knows_previous else ''}"
            found = wait_adaptive(
                jobs, shortest=shortest, longest=longest, knows_previous=knows_previous
            )
            yield (
                name,
                found,
                found.delay / alone.delay(found.awake),
                found.delay / sharing.delay(found.shared),
            )


TEXT = f"""\
## When to look

Simulated: the package's own policy waits for {{jobs:,}} made-up jobs on a made-up clock. Assumed, since nobody outside
Snowflake knows: durations from {SHORTEST_JOB / 60:.1f} minutes to {LONGEST_JOB / 3600:.0f} hours, even over their
logarithms; 1 to 10 epochs, mostly 3, of equal length ±{UNEVEN:.0%}, a step of progress after each; up to
{PENDING:.0%} of the time PENDING, and up to {TAIL:.0%} of it after the last epoch. The **previous** run's duration is
known to ±{UNLIKE:.0%}, evenly. A look takes {LOOK:.0f} s, and a warehouse is **awake** from its beginning until
{AUTO_SUSPEND:.0f} s after its end; **{SHARING} on one**: as many jobs, begun within an hour, share a warehouse, and this
is the share of each. **delay**: from the end of a job to its discovery; **relative**, as a share of the job's
duration, the mean over all jobs. A *rescheduled* sensor remembers nothing between two looks. In brackets, the ratio to a
fixed 60 s."""

FRONTIER = f"""\
### The frontier

Every bound on the gaps is a point between delay and awake time. A fixed interval has such a curve, too: the last
columns hold the adaptive delay against that of the fixed interval which keeps the warehouse awake for just as
long, for a job alone and for {SHARING} on one warehouse.

A delay below half the shortest gap cannot be had, except by luck: so the ratio to fixed intervals is best where a
warehouse sleeps most. And of {SHARING} jobs on one warehouse some dozen run at once, one of which is nearly always close
to its end and looked at every minute: that warehouse sleeps little whatever the others do, unless the shortest gap is
longer. The adaptive delay is still less than half of a fixed interval's."""


def comparison_table(jobs: Sequence[Job]) -> str:
    """Return the table of :func:`comparison`: in brackets, the ratio to a fixed 60 s."""
    outcomes = comparison(jobs)
    base = outcomes["fixed, 60 s"]
    heads = (
        "",
        "looks",
        "awake, s per job",
        f"{SHARING} on one, s per job",
        "mean delay, s",
        "p95, s",
        "relative",
    )
    rows = [
        (
            name,
            f"{found.looks:.1f}",
            f"{found.awake:.0f} ({found.awake / base.awake:.2f})",
            f"{found.shared:.0f} ({found.shared / base.shared:.2f})",
            f"{found.delay:.0f} ({found.delay / base.delay:.2f})",
            f"{found.late:.0f}",
            f"{found.relative:.1%}",
        )
        for name, found in outcomes.items()
    ]
    return table(heads, rows)


def curve_table(jobs: Sequence[Job]) -> str:
    """Return what fixed intervals come to, against a fixed 60 s."""
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
    return table(("", "awake", f"{SHARING} on one", "mean delay, s"), rows)


def frontier_table(jobs: Sequence[Job]) -> str:
    """Return the table of :func:`frontier`."""
    base = wait_fixed(jobs, 60.0)
    heads = (
        "gaps of",
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
    return table(heads, rows)


def report(count: int = JOBS) -> str:
    """Simulate everything, and return it as Markdown."""
    jobs = make_jobs(count)
    text = TEXT.format(jobs=count)
    return "\n\n".join(
        [text, comparison_table(jobs), FRONTIER, frontier_table(jobs), curve_table(jobs)]
    )


if __name__ == "__main__":
    print(report())  # noqa: T201 - it is a command
