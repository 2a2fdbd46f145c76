"""A wait with a stall_timeout ends if the job does not change for so long."""

import json
import math
from typing import Any

import pytest

from airflow_provider_cortex.errors import FineTuneStalledError, FineTuneTimeoutError
from airflow_provider_cortex.waiting.checkpoint import Checkpoint, LastChange, Outage
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from tests.clock import Clock
from tests.waiting.pollers import EVERY_MINUTE, GRID, NO_GRID, TRANSIENT, job, job_poller


def test_a_job_without_a_change_ends_the_wait(clock: Clock) -> None:
    """The error says since when and for how long it has not changed, and its state."""
    poller = job_poller(clock, stall_timeout=150.0)
    poller.after_poll(job(progress=0.3))
    clock.now += 100.0
    poller.after_poll(job(progress=0.4))
    clock.now += 149.0
    poller.after_poll(job(progress=0.4))
    clock.now += 1.0
    with pytest.raises(FineTuneStalledError, match="Fine-tuning job ft_1 ") as error:
        poller.after_poll(job(progress=0.4))
    assert error.value.waited == 150.0
    assert error.value.since == "1970-01-01T00:18:20+00:00"
    assert error.value.last_seen == "IN_PROGRESS 40 %"
    assert "may still be running" in str(error.value)
    assert "FINETUNE('CANCEL', 'ft_1')" in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"status": "PENDING", "progress": None}, {"status": "IN_PROGRESS", "progress": None}),
        ({"progress": None}, {"progress": 0.0}),
        ({"progress": 0.333}, {"progress": 0.3331}),
        ({"progress": 0.9}, {"progress": 0.1}),
        ({"status": "PAUSED"}, {"status": "QUEUED"}),
    ],
)
def test_any_other_status_or_progress_is_a_change(
    before: dict[str, Any], after: dict[str, Any], clock: Clock
) -> None:
    """An unknown status counts, too, and so does progress that goes back."""
    poller = job_poller(clock, stall_timeout=100.0)
    poller.after_poll(job(**before))
    clock.now += 100.0
    assert poller.after_poll(job(**after)) == 60.0
    clock.now += 100.0
    with pytest.raises(FineTuneStalledError):
        poller.after_poll(job(**after))


@pytest.mark.parametrize("status", ["PENDING", "in_progress", "PAUSED"])
def test_the_same_status_is_no_change(status: str, clock: Clock) -> None:
    """A job that waits its turn stalls, too; the case of a known status does not matter."""
    poller = job_poller(clock, stall_timeout=100.0)
    poller.after_poll(job(status=status.upper(), progress=None))
    clock.now += 100.0
    with pytest.raises(FineTuneStalledError):
        poller.after_poll(job(status=status, progress=None))


@pytest.mark.parametrize("policy", [NO_GRID, GRID, PollPolicy(interval=900.0, offset=3.0)])
def test_the_last_poll_is_when_the_stall_timeout_ends(policy: PollPolicy, clock: Clock) -> None:
    """However long the interval is; if the deadline is at the same moment, it counts."""
    poller = job_poller(clock, policy, stall_timeout=130.0)
    delay = poller.after_poll(job())
    while clock.now < 1130.0:
        assert delay is not None
        assert poller.seconds_left == 1130.0 - clock.now >= delay
        clock.now += delay
        if clock.now < 1130.0:
            delay = poller.after_poll(job())
    assert clock.now == 1130.0
    with pytest.raises(FineTuneStalledError):
        poller.after_poll(job())
    poller.deadline = 1130.0
    with pytest.raises(FineTuneTimeoutError):
        poller.after_poll(job())


def test_a_finished_job_has_not_stalled(clock: Clock) -> None:
    """Its end is an answer, however long nothing had changed before."""
    poller = job_poller(clock, NO_GRID, stall_timeout=100.0)
    poller.after_poll(job())
    clock.now += 900.0
    assert poller.after_poll(job(status="SUCCESS", progress=0.5)) is None


def test_an_outage_does_not_end_the_wait_as_stalled(clock: Clock) -> None:
    """A failed poll says nothing about the job; the next answer does, for the time before, too."""
    poller = job_poller(clock, stall_timeout=100.0)
    poller.after_poll(job())
    clock.now += 60.0
    assert poller.after_poll(TRANSIENT) == 60.0
    assert poller.seconds_left == math.inf
    clock.now += 60.0
    assert poller.after_poll(TRANSIENT) == 120.0
    clock.now += 120.0
    with pytest.raises(FineTuneStalledError) as error:
        poller.after_poll(job())
    assert error.value.waited == 240.0


def test_a_restart_does_not_restart_the_stall_timeout(clock: Clock) -> None:
    """It counts from the last change that any process of the wait has seen."""
    first = job_poller(clock, NO_GRID, stall_timeout=500.0)
    first.after_poll(job())
    stored = json.loads(json.dumps(first.checkpoint.to_dict(), allow_nan=False))
    clock.now += 450.0
    second = job_poller(clock, NO_GRID, stall_timeout=500.0, started_at=1000.0)
    second.resume(Checkpoint.read(stored))
    assert second.first_delay() == 50.0
    clock.now += 50.0
    with pytest.raises(FineTuneStalledError) as error:
        second.after_poll(job())
    assert error.value.waited == 500.0


def recorded(since: float) -> Checkpoint:
    """Return the record of a job that last changed at a time, epoch seconds."""
    change = LastChange(status="PENDING", progress=None, since=since)
    return Checkpoint(started_at=1000.0, last_change=change)


def test_the_latest_recorded_change_counts(clock: Clock) -> None:
    """A record without a change, or with an older one, does not replace it."""
    poller = job_poller(clock, NO_GRID, stall_timeout=500.0)
    clock.now += 100.0
    for since in (1000.0, 1050.0, 1020.0):
        poller.resume(recorded(since))
    poller.resume(Checkpoint(started_at=1000.0))
    poller.resume(None)
    assert poller.last_change == recorded(1050.0).last_change


@pytest.mark.parametrize("since", [999.0, 1101.0, math.nan])
def test_a_change_outside_of_the_wait_is_ignored(since: float, clock: Clock) -> None:
    """An earlier try recorded it, or another clock."""
    poller = job_poller(clock, NO_GRID, stall_timeout=500.0)
    clock.now += 100.0
    poller.resume(recorded(since))
    assert poller.last_change is None


def test_an_outage_and_the_last_change_are_resumed_together(clock: Clock) -> None:
    """One record has both."""
    poller = job_poller(clock, EVERY_MINUTE, stall_timeout=500.0)
    clock.now += 100.0
    outage = Outage(since=1020.0, until=1080.0)
    change = LastChange(status="PENDING", progress=None, since=1010.0)
    recorded = Checkpoint(started_at=1000.0, outage=outage, last_change=change)
    poller.resume(recorded)
    assert poller.checkpoint == recorded


def test_without_a_stall_timeout_no_change_is_recorded(clock: Clock) -> None:
    """The record has only what the next process needs."""
    poller = job_poller(clock)
    poller.after_poll(job())
    assert poller.checkpoint == Checkpoint(started_at=1000.0)
