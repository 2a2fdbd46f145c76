"""Whether a wait goes on, and what it reports."""

from collections.abc import Callable, Iterator

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import (
    CortexError,
    FineTuneTimeoutError,
    RejectedError,
)
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import JobPoller, attempt, poll_until_finished
from tests.clock import Clock
from tests.waiting.pollers import TRANSIENT, Reports, job, job_poller


@pytest.fixture
def poller(clock: Clock) -> JobPoller:
    """Poll every minute for at most an hour."""
    return job_poller(clock, deadline=4600.0)


def test_a_running_job_is_polled_again_after_the_interval(poller: JobPoller) -> None:
    """The wait goes on while the job runs."""
    assert poller.after_poll(job()) == 60.0


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "CANCELLED"])
def test_a_finished_job_ends_the_wait(poller: JobPoller, clock: Clock, status: str) -> None:
    """Even after the deadline, a finished job is an answer."""
    clock.now = 9999.0
    assert poller.after_poll(job(status=status)) is None


def test_the_last_poll_is_at_the_deadline(poller: JobPoller, clock: Clock) -> None:
    """The last pause ends at the deadline, and not a minute later."""
    clock.now = 4590.0
    assert poller.seconds_left == 10.0
    assert poller.after_poll(job()) == 10.0


def test_the_deadline_ends_the_wait(poller: JobPoller, clock: Clock) -> None:
    """The error names the job, how long the wait was, and the last known state."""
    clock.now = 4600.0
    with pytest.raises(FineTuneTimeoutError, match="fine-tuning job ft_1 ") as error:
        poller.after_poll(job())
    assert error.value.waited == 3600.0
    assert error.value.last_seen == "IN_PROGRESS 50 %"
    clock.now = 4700.0
    assert poller.seconds_left == 0.0


@pytest.mark.parametrize("offset", [None, 0.0, 7.5])
def test_an_interval_of_0_is_no_busy_loop(clock: Clock, offset: float | None) -> None:
    """Airflow allows it, but a triggerer must not poll without a pause."""
    poller = job_poller(clock, PollPolicy(interval=0.0, offset=offset))
    clock.now += poller.first_delay()
    for _ in range(3):
        delay = poller.after_poll(job())
        assert delay == 1.0
        clock.now += delay


def test_a_permanent_error_ends_the_wait_at_once(poller: JobPoller) -> None:
    """Snowflake would reject the next poll, too."""
    with pytest.raises(RejectedError, match=r"^no privilege$"):
        poller.after_poll(RejectedError("no privilege"))
    assert isinstance(poller.report, Reports)
    assert poller.report.errors == []  # the task reports it


def test_a_permanent_error_keeps_its_cause(poller: JobPoller) -> None:
    """The task's log shows what the driver raised."""
    cause = OSError("driver")

    def poll() -> FineTuneJob:
        raise RejectedError("no privilege") from cause

    with pytest.raises(RejectedError) as error:
        poller.after_poll(attempt(poll))
    assert error.value.__cause__ is cause


def test_a_vanished_job_is_reported_with_its_last_known_state(poller: JobPoller) -> None:
    """A job may be rejected after it has been polled: its state then was the last known one."""
    poller.after_poll(job())
    with pytest.raises(RejectedError, match=r"does not exist.*ft_1: IN_PROGRESS 50 %"):
        poller.after_poll(RejectedError("it does not exist."))


def test_each_poll_is_reported_with_the_next_delay(poller: JobPoller, clock: Clock) -> None:
    """The log shows the delay to the next poll, and 0 after the last one."""
    running, finished = job(), job(status="SUCCESS")
    poller.after_poll(running)
    clock.now += 60.0
    poller.after_poll(TRANSIENT)
    poller.after_poll(finished)
    assert isinstance(poller.report, Reports)
    assert poller.report.answers == [(running, 60.0), (finished, 0.0)]
    assert poller.report.errors == [(TRANSIENT, 60.0)]


def test_any_outcome_counts_as_polled(clock: Clock) -> None:
    """A process that has polled needs no record of an earlier one."""
    pollers = [job_poller(clock) for _ in range(3)]
    pollers[1].after_poll(TRANSIENT)
    pollers[2].after_poll(job())
    assert [poller.has_polled for poller in pollers] == [False, True, True]


def test_the_last_known_state_is_that_of_the_last_answer(poller: JobPoller) -> None:
    """A failed poll says nothing about the job."""
    assert poller.last_state == "never seen"
    poller.after_poll(job())
    poller.after_poll(TRANSIENT)
    assert poller.last_state == "IN_PROGRESS 50 %"


def raises(error: CortexError) -> Callable[[], FineTuneJob]:
    """Return a poll that fails."""

    def poll() -> FineTuneJob:
        raise error

    return poll


def test_an_attempt_returns_the_answer_or_the_error() -> None:
    """The outcome of a poll is a value; only errors that are not this package's are raised."""
    assert attempt(job) == job()
    assert attempt(raises(TRANSIENT)) is TRANSIENT
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: job(progress=1 / 0))


def test_a_process_that_may_block_polls_until_the_job_has_finished(clock: Clock) -> None:
    """It sleeps as long as the poller says, also after a failed poll, and not after the last."""
    outcomes: Iterator[FineTuneJob | CortexError] = iter(
        [job(), TRANSIENT, TRANSIENT, job(status="ERROR")]
    )
    slept = []

    def poll() -> FineTuneJob:
        outcome = next(outcomes)
        if isinstance(outcome, CortexError):
            raise outcome
        return outcome

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    finished = poll_until_finished(job_poller(clock), poll, sleep=sleep)
    assert finished.status_text == "ERROR"
    assert slept == [60.0, 60.0, 120.0]


def test_a_process_that_may_block_raises_what_ends_the_wait(clock: Clock) -> None:
    """Nothing is polled after that."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    with pytest.raises(FineTuneTimeoutError):
        poll_until_finished(job_poller(clock, deadline=1150.0), job, sleep=sleep)
    assert clock.now == 1150.0
