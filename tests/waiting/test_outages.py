"""A wait retries through transient errors for contact_timeout seconds."""

import json
import math
from typing import Any

import pytest

from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneTimeoutError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.waiting.checkpoint import Checkpoint, Outage
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import TRIGGERER_RESTART_SECONDS, JobPoller
from tests.clock import Clock
from tests.waiting.pollers import GRID, NO_GRID, TRANSIENT, job, job_poller


@pytest.fixture
def poller(clock: Clock) -> JobPoller:
    """Poll every minute for at most an hour, and retry for five minutes."""
    return job_poller(clock, deadline=4600.0, contact_timeout=300.0)


def failed(poller: JobPoller, error: CortexError = TRANSIENT) -> float:
    """Record a failed poll, and return the seconds to the next one."""
    delay = poller.after_poll(error)
    assert delay is not None
    return delay


@pytest.mark.parametrize("error", [TRANSIENT, UnreadableAnswerError("which is not JSON", "<")])
def test_a_short_outage_does_not_end_the_wait(
    poller: JobPoller, clock: Clock, error: CortexError
) -> None:
    """The contact timeout counts from the first failed poll, however long the pause before it."""
    clock.now += 1800.0
    assert failed(poller, error) == 60.0
    clock.now += 100.0
    assert failed(poller, error) == 120.0


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (NO_GRID, [60, 120, 240, 300, 300]),
        (PollPolicy(longest=100.0), [60, 100, 100]),
        (PollPolicy(interval=10.0), [10, 20, 40, 80, 160, 300, 300]),
        (PollPolicy(interval=900.0), [900, 900]),
        (GRID, [60, 120, 240, 300, 300]),
        (PollPolicy(interval=10.0, offset=0.0), [10, 20, 40, 80, 160, 300, 300]),
    ],
)
def test_the_pause_doubles_until_an_answer(policy: PollPolicy, pauses: list[float]) -> None:
    """After an answer, the next outage begins with the shortest pause again."""
    clock = Clock(1.8e9)
    poller = job_poller(clock, policy, contact_timeout=math.inf)
    for _ in range(2):
        for pause in pauses:
            assert failed(poller) == pause
            clock.now += pause
        poller.after_poll(job())


def test_an_endless_outage_keeps_the_longest_pause(clock: Clock) -> None:
    """However many polls fail, the pause is a number within the limits."""
    poller = job_poller(clock, NO_GRID, contact_timeout=math.inf)
    assert {failed(poller) for _ in range(5000)} == {60, 120, 240, 300}


def test_a_failed_poll_is_retried_soon(clock: Clock) -> None:
    """However far the expected end is, the next poll comes after the shortest pause."""
    poller = job_poller(clock, PollPolicy(expected_duration=36000.0))
    clock.now += 3600.0
    assert poller.after_poll(job(progress=0.1)) == 4 * 3600.0
    assert failed(poller) == 60.0


def test_a_long_outage_ends_the_wait(poller: JobPoller, clock: Clock) -> None:
    """The error has the reason, how long the outage was, and the last known state."""
    poller.after_poll(job())
    failed(poller)
    clock.now += 300.0
    with pytest.raises(ContactLostError, match="fine-tuning job ft_1:") as error:
        poller.after_poll(TRANSIENT)
    assert error.value.waited == 300.0
    assert error.value.last_seen == "IN_PROGRESS 50 %"
    assert error.value.reason == "503"
    assert error.value.__cause__ is TRANSIENT


@pytest.mark.parametrize("contact_timeout", [0.1, 0.3, 1 / 3, 899.9999])
def test_the_last_retry_is_when_the_contact_timeout_ends(contact_timeout: float) -> None:
    """However the sums are rounded, the retries come to an end."""
    clock = Clock(1795350785.031)
    poller = job_poller(clock, deadline=clock.now + 1e9, contact_timeout=contact_timeout)
    began = clock.now

    def retry() -> None:
        for _ in range(100):
            clock.now += failed(poller)

    with pytest.raises(ContactLostError):
        retry()
    assert clock.now == pytest.approx(began + contact_timeout)


def test_an_answer_ends_the_outage(poller: JobPoller, clock: Clock) -> None:
    """Only failed polls in a row count."""
    failed(poller)
    clock.now += 299.0
    assert failed(poller) == 1.0
    poller.after_poll(job())
    assert (poller.outage, poller.failures) == (None, 0)
    clock.now += 299.0
    assert failed(poller) == 60.0


def test_the_deadline_ends_the_wait_during_an_outage(poller: JobPoller, clock: Clock) -> None:
    """Retries do not continue after the deadline, and the last one comes at it."""
    clock.now = 4400.0
    poller.after_poll(job())
    clock.now = 4590.0
    assert failed(poller) == 10.0
    clock.now = 4601.0
    with pytest.raises(FineTuneTimeoutError):
        poller.after_poll(TRANSIENT)


# --- Over several processes ----------------------------------------------------------------------


def restored(poller: JobPoller, clock: Clock, **changes: Any) -> JobPoller:
    """Return the poller of the next process, with the record that this one leaves."""
    stored = json.loads(json.dumps(poller.checkpoint.to_dict(), allow_nan=False))
    fields: dict[str, Any] = {"contact_timeout": 900.0, "started_at": poller.started_at}
    other = job_poller(clock, NO_GRID, **(fields | changes))
    other.resume(Checkpoint.read(stored))
    return other


def test_a_restart_does_not_restart_the_contact_timeout(clock: Clock) -> None:
    """The outage counts from its first failed poll, whichever process made it."""
    first = job_poller(clock, NO_GRID, contact_timeout=900.0)
    began = clock.now
    clock.now += failed(first)
    failed(first)
    clock.now += 400.0
    second = restored(first, clock)
    clock.now += failed(second)
    clock.now = began + 900.0
    with pytest.raises(ContactLostError) as error:
        second.after_poll(TRANSIENT)
    assert error.value.waited == 900.0


def test_processes_that_fail_once_each_do_not_restart_the_contact_timeout(clock: Clock) -> None:
    """The record of an outage stays until there is an answer, even with one poll per process."""
    poller = job_poller(clock, NO_GRID, contact_timeout=900.0)
    began = clock.now
    clock.now += failed(poller)
    clock.now += failed(poller)
    for _ in range(2):
        poller = restored(poller, clock)
        assert poller.checkpoint.outage is not None
        clock.now += failed(poller) + 30.0
    assert poller.outage is not None
    assert poller.outage.since == began
    assert restored(poller, clock).outage == poller.outage


def test_one_failed_poll_is_not_recorded(clock: Clock) -> None:
    """A single failure is not worth a record; two in a row are, until there is an answer."""
    poller = job_poller(clock, NO_GRID)
    failed(poller)
    assert poller.checkpoint == Checkpoint(started_at=1000.0)
    clock.now += 60.0
    failed(poller)
    recorded = Outage(since=1000.0, until=1060.0)
    assert poller.checkpoint == Checkpoint(started_at=1000.0, outage=recorded)
    poller.after_poll(job())
    assert poller.checkpoint == Checkpoint(started_at=1000.0)


def test_a_recorded_outage_expires(clock: Clock) -> None:
    """
    An old record does not count: there must have been an answer since.

    Neither does one from the future: its clock was another one.
    """
    now = clock.now
    gap = 300.0 + TRIGGERER_RESTART_SECONDS
    for since, until in (now - 9000, now - gap - 1), (now + 1, now + 1):
        poller = job_poller(clock, NO_GRID, contact_timeout=300.0)
        poller.resume(Checkpoint(started_at=now, outage=Outage(since=since, until=until)))
        assert failed(poller) == 60.0
    poller = job_poller(clock, NO_GRID, contact_timeout=300.0)
    poller.resume(Checkpoint(started_at=now, outage=Outage(since=now - 9000, until=now - gap)))
    with pytest.raises(ContactLostError):
        poller.after_poll(TRANSIENT)


def test_without_a_record_nothing_is_resumed(poller: JobPoller) -> None:
    """The first process of a wait has none."""
    poller.resume(None)
    assert poller.outage is None
    assert failed(poller) == 60.0
