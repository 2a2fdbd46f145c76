"""How long to wait for a statement that runs without a session."""

import math

import pytest

from airflow_provider_cortex.errors import (
    QueryFailedError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    UnreachableError,
)
from airflow_provider_cortex.waiting.checkpoint import Checkpoint, Outage
from airflow_provider_cortex.waiting.poller import TRIGGERER_RESTART_SECONDS
from tests.clock import Clock
from tests.waiting.pollers import TRANSIENT, Reports, execution, query_poller

LOST = UnreachableError("the network")


@pytest.mark.parametrize(
    "status", ["RUNNING", "QUEUED", "RESUMING_WAREHOUSE", "BLOCKED", "NEW_WORD"]
)
def test_a_running_statement_is_polled_again(status: str, clock: Clock) -> None:
    """An unknown status counts as running."""
    assert query_poller(clock).after_poll(execution(status)) == 30


@pytest.mark.parametrize("status", ["SUCCESS", "ABORTED", "ABORTING", "FAILED_WITH_ERROR"])
def test_a_finished_statement_ends_the_wait(status: str, clock: Clock) -> None:
    """Successful or not; a failed one reports Snowflake's message, or else its status."""
    assert query_poller(clock).after_poll(execution(status)) is None
    if status == "SUCCESS":
        execution(status).check()
    else:
        with pytest.raises(QueryFailedError, match=r"^Query q failed.*: no"):
            execution(status, "no").check()
        with pytest.raises(QueryFailedError, match=status):
            execution(status).check()


def test_the_last_poll_is_at_the_deadline(clock: Clock) -> None:
    """The wait ends there, also if the last poll failed."""
    poller = query_poller(clock, deadline=1040.0)
    assert poller.after_poll(execution("RUNNING")) == 30
    clock.now = 1030
    assert poller.after_poll(execution("RUNNING")) == 10
    clock.now = 1040
    with pytest.raises(QueryTimeoutError, match="after 40 s") as caught:
        poller.after_poll(execution("RUNNING"))
    assert caught.value.query_id == "q"
    with pytest.raises(QueryTimeoutError):
        poller.after_poll(LOST)


def test_an_outage_ends_the_wait_after_the_contact_timeout(clock: Clock) -> None:
    """It counts from the first failed poll."""
    poller = query_poller(clock)
    assert poller.after_poll(LOST) == 30
    clock.now = 1090
    assert poller.after_poll(LOST) == 10
    outages = [poller.outage]
    poller.after_poll(execution("RUNNING"))
    outages.append(poller.outage)
    assert outages == [Outage(since=1000, until=1090), None]
    clock.now = 1200
    assert poller.after_poll(LOST) == 30
    clock.now = 1300
    with pytest.raises(QueryLostError, match="no usable answer for 100 s") as caught:
        poller.after_poll(LOST)
    assert caught.value.query_id == "q"
    assert "the network" in str(caught.value)


def test_failed_polls_are_reported_and_repeated_after_the_interval(clock: Clock) -> None:
    """The pause does not grow: statements are few, and often short."""
    poller = query_poller(clock, contact_timeout=math.inf)
    pauses = [poller.after_poll(LOST) for _ in range(6)]
    assert pauses == [30] * 6
    assert isinstance(poller.report, Reports)
    assert [delay for _, delay in poller.report.errors] == pauses
    assert poller.report.answers == []


def test_a_permanent_error_ends_the_wait_at_once(clock: Clock) -> None:
    """Snowflake would reject the next poll, too."""
    with pytest.raises(RejectedError, match=r"^no$"):
        query_poller(clock).after_poll(RejectedError("no"))


GAP = 30 + TRIGGERER_RESTART_SECONDS
"""The most seconds between two polls of one wait by different triggerers."""


@pytest.mark.parametrize(
    ("since", "until", "delay"),
    [
        (900, 990, None),
        (930, 990, 30),
        (1000, 1000, 30),
        (0, 1000 - GAP, None),
        (0, 1000 - GAP - 1, 30),
        (1001, 1002, 30),
    ],
)
def test_a_recorded_outage_counts_until_it_expires(
    since: float, until: float, delay: float | None, clock: Clock
) -> None:
    """Without a *delay*, the contact timeout has passed."""
    poller = query_poller(clock)
    outage = Outage(since=since, until=until)
    poller.resume(Checkpoint(started_at=1000.0, outage=outage))
    if delay is None:
        with pytest.raises(QueryLostError):
            poller.after_poll(TRANSIENT)
    else:
        assert poller.after_poll(TRANSIENT) == delay
