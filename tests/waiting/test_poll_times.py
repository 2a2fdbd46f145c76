"""When to poll a job next."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.waiting.default_times import DEFAULT_MAX_INTERVAL
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from benchmarks.policy import wait_adaptive, wait_fixed
from benchmarks.simulated_jobs import make_jobs

CREATED = 1.8e9
"""When the jobs were created, epoch seconds: a multiple of 60."""

NO_GRID = PollPolicy()
GRID = PollPolicy(offset=0.0)

HOUR = 3600.0
EARLIEST_END = 0.85 * HOUR
"""Of a job that is expected to take an hour."""


def job(**fields: Any) -> FineTuneJob:
    """Return a running job."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS", "progress": 0.5} | fields)


def pause(policy: PollPolicy, age: float, progress: float | None) -> float:
    """Return the seconds from a poll of a job of *age* to the next poll."""
    polled = job(progress=progress, created_on=CREATED * 1000)
    at = CREATED + age
    return policy.next_poll(polled, at=at, started_at=CREATED) - at


@pytest.mark.parametrize("remembers", [True, False])
def test_the_simulation_stays_within_the_limits(remembers: bool) -> None:
    """Compared with a fixed 60 s: at most 0.55 of the awake time, and 1.3 times the delay."""
    jobs = make_jobs(1000)
    fixed = wait_fixed(jobs, 60.0)
    found = wait_adaptive(jobs, remembers=remembers)
    assert found.awake <= 0.55 * fixed.awake
    assert found.delay <= 1.3 * fixed.delay
    found = wait_adaptive(jobs, remembers=remembers, knows_previous=True)
    assert found.awake <= 0.25 * fixed.awake
    assert found.relative <= 0.08


def test_without_progress_the_pauses_grow_with_the_age() -> None:
    """What has run for long will run for long; progress 0 is like no progress."""
    ages = (0, 60, 404, 406, 1124, 1126, 2500, 3700, 36000)
    pauses = [pause(NO_GRID, age, None) for age in ages]
    assert pauses == [60, 60, 60, 120, 120, 180, 240, DEFAULT_MAX_INTERVAL, DEFAULT_MAX_INTERVAL]
    assert [pause(NO_GRID, age, 0.0) for age in ages] == pauses


def test_progress_shortens_the_pauses() -> None:
    """Polls become more frequent towards the end."""
    pauses = [pause(NO_GRID, 2500, progress) for progress in (0.1, 0.333, 0.667, 0.9, 1.0)]
    assert pauses == [240, 180, 120, 60, 60]


def test_a_job_of_unknown_age_is_as_old_as_the_wait() -> None:
    """The same counts for a job that was created after now, by a clock that differs."""
    at = CREATED + 1800
    expected = NO_GRID.next_poll(job(created_on=CREATED * 1000), at=at, started_at=0.0)
    for created_on in (None, (at + 7200) * 1000):
        polled = job(created_on=created_on)
        assert NO_GRID.next_poll(polled, at=at, started_at=CREATED) == expected
    assert NO_GRID.next_poll(job(created_on=at * 1000), at=at, started_at=CREATED) < expected


def test_a_job_with_an_expected_duration_is_left_alone_until_it_may_finish() -> None:
    """Polls are rare before 85 % of the expected duration, and as without it afterwards."""
    policy = PollPolicy(expected_duration=HOUR)
    assert pause(policy, 0, 0.0) == DEFAULT_MAX_INTERVAL
    assert pause(policy, 1500, 0.0) == EARLIEST_END - 1500
    assert pause(policy, EARLIEST_END - 30, 0.0) == 60
    for age in (EARLIEST_END, HOUR, 2 * HOUR):
        assert pause(policy, age, 0.667) == pause(NO_GRID, age, 0.667)


@pytest.mark.parametrize("offset", [None, 0.0, 7.5])
@pytest.mark.parametrize("age", [0, 60, 300, 1000, 5000])
def test_an_early_failure_is_found(age: float, offset: float | None) -> None:
    """However long a job is expected to take, the pause is at most 4 times its age."""
    policy = PollPolicy(expected_duration=1e9, offset=offset)
    assert pause(policy, age, 0.0) <= max(DEFAULT_MAX_INTERVAL, 4 * age)


def test_progress_corrects_the_expected_duration() -> None:
    """A job whose progress is ahead of the expected duration is polled as if none were known."""
    policy = PollPolicy(expected_duration=HOUR)
    assert pause(policy, 1500, 0.667) == pause(NO_GRID, 1500, 0.667)
    assert pause(policy, 2200, 0.667) == EARLIEST_END - 2200


@pytest.mark.parametrize("invalid", [0.0, -60.0, math.nan])
def test_an_invalid_expected_duration_is_ignored(invalid: float) -> None:
    """Only a positive duration counts."""
    assert pause(PollPolicy(expected_duration=invalid), 900, 0.0) == pause(NO_GRID, 900, 0.0)


def test_a_fixed_interval_is_always_the_same() -> None:
    """Neither the job nor an expected duration changes a fixed interval."""
    policy = PollPolicy(interval=45.0, expected_duration=HOUR)
    pauses = {pause(policy, age, progress) for age in (0, 5000) for progress in (None, 0.1)}
    assert pauses == {45.0}


def test_an_interval_of_0_is_one_second() -> None:
    """No interval makes a triggerer poll without a pause."""
    assert pause(PollPolicy(interval=0.0), 0, None) == 1.0
    assert pause(PollPolicy(shortest=0.0), 0, None) == 1.0


def test_the_longest_pause_bounds_the_shortest() -> None:
    """With a longest pause below a minute, all pauses are that long."""
    assert pause(PollPolicy(longest=30.0), 5000, 0.1) == 30.0


def test_a_longest_pause_allows_long_pauses() -> None:
    """The square root is not bounded otherwise."""
    assert pause(PollPolicy(longest=1200.0), 24 * HOUR, 0.25) == 1140.0


def test_many_jobs_are_polled_at_the_same_moments() -> None:
    """Jobs of any age and progress share the marks of the grid."""
    now = CREATED + 7
    moments = {
        GRID.next_poll(job(progress=progress), at=now, started_at=now - 30.0 * number)
        for number in range(100)
        for progress in (None, 0.333, 0.667)
    }
    assert moments <= {CREATED + 60 * mark for mark in range(2, 6)}


def test_triggerers_do_not_poll_at_the_same_moment() -> None:
    """Each is a little later than the mark."""
    moments = [
        PollPolicy(offset=offset).next_poll(job(), at=CREATED + 20, started_at=CREATED)
        for offset in (0.0, 4.0, 9.5)
    ]
    assert moments == [CREATED + 120, CREATED + 120 + 4.0, CREATED + 120 + 9.5]


@pytest.mark.parametrize("second", range(0, 60, 7))
def test_on_the_grid_no_pause_exceeds_the_longest(second: int) -> None:
    """To reach the grid, a pause becomes shorter if that leaves the shortest one, not longer."""
    at = CREATED + second
    old = job(progress=0.1, created_on=(CREATED - 5000) * 1000)
    policy = PollPolicy(longest=120.0, offset=0.0)
    assert 60.0 <= policy.next_poll(old, at=at, started_at=at) - at <= 120.0


@pytest.mark.parametrize("late", [0.0, 0.0005])
@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_a_pause_of_whole_intervals_stays_on_the_grid(minutes: int, late: float) -> None:
    """From one mark of the grid a pause leads to another, even if the sums are inexact."""
    age = {1: 60.0, 2: 600.0, 5: 6000.0}[minutes]
    at = CREATED + late
    assert GRID.next_poll(job(progress=0.0), at=at, started_at=at - age) == CREATED + 60 * minutes


def test_the_first_poll_is_soon_if_nothing_is_known() -> None:
    """A process that resumes an old wait does not leave the job alone for long."""
    at = CREATED + 2 * HOUR
    assert NO_GRID.first_poll(at=at, started_at=CREATED, soonest=10.0) == at + 60.0
    assert GRID.first_poll(at=at, started_at=CREATED, soonest=10.0) == at + 60.0


def test_the_first_poll_waits_for_the_expected_end() -> None:
    """A process that resumes a wait polls when the job may finish, and not before."""
    policy = PollPolicy(expected_duration=HOUR)
    moment = policy.first_poll(at=CREATED + 1800, started_at=CREATED, soonest=10.0)
    assert moment == CREATED + EARLIEST_END


def test_the_first_poll_is_never_too_soon() -> None:
    """A trigger that fires right after deferral may fail its task."""
    assert NO_GRID.first_poll(at=CREATED, started_at=CREATED, soonest=500.0) == CREATED + 500.0


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (NO_GRID, [60, 120, 240, 300, 300]),
        (GRID, [60, 120, 240, 300, 300]),
        (PollPolicy(longest=100.0), [60, 100, 100]),
        (PollPolicy(interval=10.0), [10, 20, 40, 80, 160, 300, 300]),
        (PollPolicy(interval=10.0, offset=0.0), [10, 20, 40, 80, 160, 300, 300]),
        (PollPolicy(interval=900.0), [900, 900]),
    ],
)
def test_the_pause_doubles_with_each_failed_poll(policy: PollPolicy, pauses: list[float]) -> None:
    """It starts at the shortest pause and ends at the longest."""
    moments = [
        policy.next_retry(at=CREATED, failures=failures) for failures in range(1, len(pauses) + 1)
    ]
    assert [moment - CREATED for moment in moments] == pauses


def test_any_number_of_failed_polls_is_possible() -> None:
    """The pause stays a number that a float can hold."""
    assert NO_GRID.next_retry(at=CREATED, failures=5000) == CREATED + DEFAULT_MAX_INTERVAL


@pytest.mark.parametrize("second", [0, 1, 25, 30, 31, 59])
def test_a_retry_is_on_the_grid(second: int) -> None:
    """A whole pause comes before it, or half of it if the interval is fixed."""
    at = CREATED + second
    assert GRID.next_retry(at=at) == CREATED + (60 if second == 0 else 120)
    fixed = PollPolicy(interval=60.0, offset=0.0)
    assert fixed.next_retry(at=at) == CREATED + (60 if second <= 30 else 120)


moments = st.floats(min_value=0.0, max_value=4e9)


@settings(deadline=None)
@given(
    policy=st.builds(
        PollPolicy,
        shortest=st.floats(min_value=0.0, max_value=600.0),
        longest=st.floats(min_value=0.0, max_value=3600.0),
        offset=st.none() | st.floats(min_value=0.0, max_value=10.0),
    ),
    at=moments,
    started_at=moments,
    created=st.none() | moments,
    progress=st.none() | st.floats(min_value=0.0, max_value=1.0),
)
def test_no_record_leads_out_of_bounds(
    policy: PollPolicy,
    at: float,
    started_at: float,
    created: float | None,
    progress: float | None,
) -> None:
    """For every record and every clock the pause is neither too short nor too long."""
    polled = job(progress=progress, created_on=None if created is None else created * 1000)
    moment = policy.next_poll(polled, at=at, started_at=started_at)
    assert moment == policy.next_poll(polled, at=at, started_at=started_at)
    # To reach the grid, a pause may take twice the shortest.
    longest = max(policy.least * (1 if policy.offset is None else 2), policy.longest)
    assert policy.least - 0.01 <= moment - at <= longest + 0.01


@settings(deadline=None)
@given(
    interval=st.floats(min_value=0.0, max_value=3600.0),
    offset=st.floats(min_value=0.0, max_value=10.0),
    at=moments,
)
def test_the_first_poll_of_a_fixed_interval_is_on_its_next_mark(
    interval: float, offset: float, at: float
) -> None:
    """It is never more than one interval away."""
    policy = PollPolicy(interval=interval, offset=offset)
    first = policy.first_poll(at=at, started_at=at, soonest=0.0) - at
    assert 0 < first <= policy.least + 0.01
    late = policy.first_poll(at=at, started_at=at, soonest=10.0) - at
    assert 9.99 < late <= 10 + policy.least + 0.01
    intervals = (late - first) / policy.least
    assert intervals == pytest.approx(round(intervals), abs=0.01)
