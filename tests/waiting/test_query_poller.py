"""How long to wait for a statement that runs by itself."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.errors import (
    CortexError,
    QueryFailedError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
    UnreachableError,
    excerpt,
)
from airflow_provider_cortex.waiting import event
from airflow_provider_cortex.waiting.poller import RESTART, Outage
from airflow_provider_cortex.waiting.query_poller import QueryPoller

AWAY = UnreachableError("the network")


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def poller(**changes: Any) -> tuple[QueryPoller, Clock]:
    """Return one that looks every 30 s, bears trouble for 100 s and has no deadline."""
    clock = Clock()
    arguments: dict[str, Any] = {"started_at": 1000.0, "deadline": None, "interval": 30.0}
    arguments |= {"contact_timeout": 100.0, "query_id": "q", "clock": clock}
    return QueryPoller(**arguments | changes), clock


def seen(status: str, message: str | None = None) -> Execution:
    return Execution(query_id="q", status=status, message=message)


@pytest.mark.parametrize(
    "status", ["RUNNING", "QUEUED", "RESUMING_WAREHOUSE", "BLOCKED", "NEW_WORD"]
)
def test_running(status: str) -> None:
    """Whatever is not known to be over is looked at again."""
    assert poller()[0].observe(seen(status)) == 30


@pytest.mark.parametrize("status", ["SUCCESS", "ABORTED", "ABORTING", "FAILED_WITH_ERROR"])
def test_over(status: str) -> None:
    """What is over is over; and only success is none of a failure."""
    assert poller()[0].observe(seen(status)) is None
    if status == "SUCCESS":
        seen(status).check()
    else:
        with pytest.raises(QueryFailedError, match=r"Query q failed\. Snowflake says: no"):
            seen(status, "no").check()
        with pytest.raises(QueryFailedError, match=status):
            seen(status).check()


def test_deadline() -> None:
    """The last look comes at the deadline, and the wait ends there, trouble or not."""
    waiting, clock = poller(deadline=1040.0)
    assert waiting.observe(seen("RUNNING")) == 30
    clock.now = 1030
    assert waiting.observe(seen("RUNNING")) == 10
    clock.now = 1040
    with pytest.raises(QueryTimeoutError, match="after 40 s") as caught:
        waiting.observe(seen("RUNNING"))
    assert caught.value.query_id == "q"
    with pytest.raises(QueryTimeoutError):
        waiting.miss(AWAY)


@pytest.mark.parametrize("status", [None, "NO_DATA", "DISCONNECTED"])
def test_trouble(status: str | None) -> None:
    """Trouble is borne for the budget from its first look on, and forgotten when there is an answer."""
    waiting, clock = poller()

    def look() -> float | None:
        return waiting.miss(AWAY) if status is None else waiting.observe(seen(status))

    assert look() == 30
    clock.now = 1090
    assert look() == 10
    noted = [waiting.outage]
    waiting.observe(seen("RUNNING"))
    assert [*noted, waiting.outage] == [Outage(since=1000, until=1090), None]
    clock.now = 1200
    assert look() == 30
    clock.now = 1300
    with pytest.raises(QueryLostError, match="no usable answer for 100 s") as caught:
        look()
    assert caught.value.query_id == "q"
    assert (status or "the network") in str(caught.value)


def test_refusal() -> None:
    """What would be refused again ends the wait at once."""
    with pytest.raises(RejectedError):
        poller()[0].miss(RejectedError("no"))


@pytest.mark.parametrize(
    ("outage", "left"),
    [
        ((900, 990), 0),
        ((930, 990), 30),
        ((1000, 1000), 30),
        ((800, 1000 - 30 - RESTART), 0),
        ((800, 1000 - 30 - RESTART - 1), 30),
        ((1001, 1002), 30),
    ],
)
def test_takes_over(outage: tuple[float, float], left: float) -> None:
    """Trouble that another process has seen counts, unless it was long ago."""
    waiting, _ = poller()
    waiting.take_over(Outage(since=outage[0], until=outage[1]))
    if left:
        assert waiting.miss(AWAY) == left
    else:
        with pytest.raises(QueryLostError):
            waiting.miss(AWAY)


def test_event() -> None:
    """A statement that is over comes through the trigger's event as it was."""
    over = seen("FAILED_WITH_ERROR", "no")
    assert event.read_execution(dict(event.query_finished(over))) == over


@pytest.mark.parametrize(
    "error", [QueryTimeoutError("q", 3.0), QueryLostError("q", 3.0, "away"), RejectedError("no")]
)
def test_event_of_an_error(error: CortexError) -> None:
    """So does what ended the wait."""
    with pytest.raises(type(error)) as caught:
        event.read_execution(dict(event.stopped(error)))
    assert str(caught.value) == str(error)


def test_event_of_a_statement_that_runs() -> None:
    """A statement that is not over is nothing to resume with."""
    payload = dict(event.query_finished(seen("RUNNING")))
    with pytest.raises(TriggerEventError) as caught:
        event.read_execution(payload)
    assert (caught.value.job_id, caught.value.event) == (None, excerpt(payload))
