"""When a wait polls: on the grid, and first."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.waiting.default_times import DEFAULT_MAX_INTERVAL
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import JobPoller, QueryPoller
from tests.clock import Clock
from tests.waiting.pollers import (
    CREATED,
    GRID,
    NO_GRID,
    TRANSIENT,
    job,
    job_poller,
    query_poller,
)


def test_a_fixed_interval_does_not_drift(clock: Clock) -> None:
    """On the grid, polls are one interval apart if none takes more than half of it."""
    poller = job_poller(clock, PollPolicy(interval=45.0, offset=3.0))
    delay: float | None = poller.first_delay()
    moments = []
    for seconds in (0.5, 2.0, 20.0, 1.0, 22.0, 1.0):
        assert delay is not None
        clock.now += delay
        moments.append(clock.now)
        clock.now += seconds
        delay = poller.after_poll(job())
    assert moments[0] <= 1000 + 45
    assert {moment % 45 for moment in moments} == {3.0}
    assert {later - sooner for sooner, later in pairwise(moments)} == {45.0}


@pytest.mark.parametrize("seconds", [23.0, 30.0, 44.0, 44.999, 45.0, 100.0])
def test_a_slow_poll_is_followed_by_a_pause(seconds: float, clock: Clock) -> None:
    """If a poll takes more than half of the interval, the next mark may be left out."""
    poller = job_poller(clock, PollPolicy(interval=45.0, offset=3.0))
    clock.now += poller.first_delay() + seconds
    delay = poller.after_poll(job())
    assert delay is not None
    assert 22.5 <= delay <= 67.5


def test_a_slow_statement_does_not_skip_a_mark(clock: Clock) -> None:
    """The pause counts from when the poll was due: otherwise each would be one mark longer."""
    clock.now = CREATED
    poller = job_poller(clock, GRID)
    clock.now += poller.first_delay()
    for seconds in (2.0, 0.25, 29.0):
        clock.now += seconds
        assert poller.after_poll(job(progress=0.9)) == 60 - seconds
        clock.now += 60 - seconds
    clock.now += 45.0  # too long: there must be a pause
    assert poller.after_poll(job(progress=0.9)) == 75.0


def test_all_polls_are_on_the_grid_if_all_pauses_are_the_shortest(clock: Clock) -> None:
    """The same counts where the longest pause is the shortest one."""
    poller = job_poller(clock, PollPolicy(longest=60.0, offset=0.0))
    delay: float | None = poller.first_delay()
    for _ in range(3):
        assert delay is not None
        clock.now += delay
        assert clock.now % 60 == 0
        delay = poller.after_poll(job(progress=0.1))
        assert delay == 60.0


def test_a_restart_keeps_the_moments(clock: Clock) -> None:
    """Another process with the same answer at the same time polls next at the same moment."""
    clock.now = CREATED
    first = job_poller(clock, GRID)
    clock.now += first.first_delay()
    for _ in range(20):
        other = job_poller(clock, GRID)
        delay = first.after_poll(job(progress=0.0, created_on=CREATED * 1000))
        assert delay is not None
        assert other.after_poll(job(progress=0.0, created_on=CREATED * 1000)) == delay
        clock.now += delay


def test_a_restarted_wait_is_polled_when_the_job_may_finish(clock: Clock) -> None:
    """If the duration is known, a restart causes no additional poll before the expected end."""
    poller = job_poller(clock, PollPolicy(expected_duration=3600.0))
    clock.now += 1800.0
    assert 900 < poller.first_delay() < 1800


def test_a_restarted_wait_is_polled_soon_if_nothing_is_known(clock: Clock) -> None:
    """The job may have finished long ago."""
    poller = job_poller(clock, NO_GRID)
    clock.now += 7200.0
    assert poller.first_delay() == 60.0


@pytest.mark.parametrize("offset", [None, 0.0])
def test_the_first_poll_of_a_young_job_may_be_late(offset: float | None, clock: Clock) -> None:
    """If the job is known to take long, there is nothing to see before."""
    clock.now = CREATED
    poller = job_poller(clock, PollPolicy(expected_duration=36000.0, offset=offset))
    assert 120.0 < poller.first_delay() <= 36000.0


def test_the_first_poll_is_never_too_soon(clock: Clock) -> None:
    """A trigger that fires right after deferral may fail its task, whatever the deadline is."""
    assert job_poller(clock, NO_GRID).first_delay(soonest=500.0) == 500.0
    assert job_poller(clock, NO_GRID, deadline=1003.0).first_delay(soonest=10.0) == 10.0


def test_the_first_poll_is_not_after_the_deadline(clock: Clock) -> None:
    """It comes at the deadline, or at once if that has passed."""
    poller = job_poller(clock, deadline=4600.0)
    clock.now = 4590.0
    assert poller.first_delay() == 10.0
    clock.now = 4610.0
    assert poller.first_delay() == 0.0


def test_the_setting_for_tests_replaces_every_pause(clock: Clock) -> None:
    """Before the first poll, after a poll, and after a failed one; but not the deadline."""
    pollers: list[JobPoller | QueryPoller] = [
        job_poller(clock, PollPolicy(interval=600.0, offset=3.0), pause_in_tests=0.1),
        query_poller(clock, pause_in_tests=0.1),
    ]
    for poller in pollers:
        assert poller.first_delay(soonest=10.0) == 0.1
        for _ in range(3):
            assert poller.after_poll(TRANSIENT) == pytest.approx(0.1)
    jobs = job_poller(clock, GRID, pause_in_tests=0.1, deadline=clock.now + 0.04)
    assert jobs.after_poll(job()) == pytest.approx(0.04)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(jumps=st.lists(st.floats(min_value=-7200.0, max_value=7200.0), max_size=20))
def test_a_clock_that_jumps_leaves_the_pauses_within_the_limits(jumps: list[float]) -> None:
    """However the clock is set, the next pause is neither too short nor too long."""
    clock = Clock(CREATED)
    poller = job_poller(clock, GRID)
    clock.now += poller.first_delay()
    for jump in jumps:
        clock.now += jump
        delay = poller.after_poll(job(progress=0.667, created_on=CREATED * 1000))
        assert delay is not None
        assert 30.0 <= delay <= DEFAULT_MAX_INTERVAL + 30.0
        clock.now += delay
