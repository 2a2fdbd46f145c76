"""
Made-up jobs for simulations.

How long real jobs take, and how their progress moves, is unknown: the assumptions stand first,
with their reasons.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus

SEED = 20

SHORTEST_JOB = 150.0
LONGEST_JOB = 3 * 3600.0
"""
Seconds. The logarithms of the durations are evenly distributed in between: as many jobs take 5 to
10 minutes as 50 to 100.
"""

EPOCHS = (10, 12, 40, 8, 12, 3, 2, 4, 1, 8)
"""
Of 100 jobs, how many have 1, 2 … 10 epochs, the number that Cortex allows. Mostly 3: Snowflake's
page computes its limits with 3, and its sample answer shows a progress of 0.333.
"""

UNEVEN = 0.05
"""An epoch is longer or shorter than the others by at most this share."""

PENDING = 0.15
"""A job is PENDING for at most this share of its duration."""

TAIL = 0.05
"""A job runs on after its last epoch, to store its model, for at most this share of its time."""

UNLIKE = 0.15
"""The previous run was longer or shorter by at most this share."""

WITHIN = 3600.0
"""Seconds in which all jobs start, at random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with all its future. All times but *created* are seconds since its creation."""

    created: float
    """Epoch seconds."""
    begins: float
    """End of PENDING."""
    epochs: tuple[float, ...]
    """End of each epoch."""
    ends: float
    previous: float
    """Duration of the previous run of the same job."""

    def polled(self, age: float) -> FineTuneJob:
        """Return what Cortex reports at *age*."""
        if age >= self.ends:
            return _record(JobStatus.SUCCESS, 1.0)
        if age < self.begins:
            return _record(JobStatus.PENDING, 0.0)
        done = bisect_right(self.epochs, age)
        return _record(JobStatus.IN_PROGRESS, round(done / len(self.epochs), 3))


@cache
def _record(status: JobStatus, progress: float) -> FineTuneJob:
    """Return an answer with the fields that Snowflake's sample of a running job has."""
    return FineTuneJob(id="ft_1", status=status, reported_status=status.value, progress=progress)


def make_jobs(count: int, *, seed: int = SEED, shortest: float = SHORTEST_JOB) -> list[Job]:
    """
    Return *count* jobs. The same *seed* makes the same jobs.

    :param shortest: the least duration, in seconds.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    return [_make_job(chance, shortest) for _ in range(count)]


def _make_job(chance: random.Random, shortest: float) -> Job:
    ends = math.exp(chance.uniform(math.log(shortest), math.log(LONGEST_JOB)))
    (count,) = chance.choices(range(1, len(EPOCHS) + 1), EPOCHS)
    begins = ends * chance.uniform(0, PENDING)
    trained = ends * (1 - chance.uniform(0, TAIL))
    lengths = [chance.uniform(1 - UNEVEN, 1 + UNEVEN) for _ in range(count)]
    unit = (trained - begins) / sum(lengths)
    return Job(
        # Any moment: only its distance to the grid matters.
        created=1.8e9 + chance.uniform(0, WITHIN),
        begins=begins,
        epochs=tuple(begins + unit * sum(lengths[: done + 1]) for done in range(count)),
        ends=ends,
        previous=ends * chance.uniform(1 - UNLIKE, 1 + UNLIKE),
    )
