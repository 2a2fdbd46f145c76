"""The trigger that waits for a statement."""

import inspect
import time
from typing import Any

import pytest

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.triggers import CortexQueryTrigger
from tests.clock import Clock, client_threads, wait_until
from tests.worker import fire, stored


def trigger(query_id: str, **changes: Any) -> CortexQueryTrigger:
    """Return a trigger that polls a statement every 30 s, without a deadline."""
    arguments: dict[str, Any] = {
        "query_id": query_id,
        "session": {"snowflake_conn_id": "snowflake_default"},
        "started_at": time.time(),
        "deadline": None,
        "poke_interval": 30.0,
    }
    return CortexQueryTrigger(**(arguments | changes))


def submit(emulator: Emulator, life: Life) -> str:
    """Start a statement, and return its id."""
    emulator.query_life = life
    with CortexHook() as hook:
        return hook.submit(Call("SELECT 1", ()), about="wait")


@pytest.fixture
def query_id(connection: str, cortex_emulator: Emulator) -> str:
    """Return a statement that runs for an hour."""
    return submit(cortex_emulator, Life.by_time(3600))


def test_a_stored_trigger_has_the_same_arguments() -> None:
    """All of them."""
    made = trigger("01b7", started_at=1.8e9, deadline=1.9e9, contact_timeout=60.0)
    arguments = made.serialize()[1]
    assert arguments.keys() == inspect.signature(CortexQueryTrigger).parameters.keys()
    assert arguments["contact_timeout"] == 60.0
    assert stored(made).serialize() == made.serialize()


def test_a_finished_statement_fires_the_trigger(connection: str, cortex_emulator: Emulator) -> None:
    """It is polled every poke_interval, also the first time."""
    query_id = submit(cortex_emulator, Life.by_looks(5))
    clock = Clock()
    event: Any = fire(trigger(query_id), clock)
    finished = {"kind": "query_over", "query_id": query_id, "status": "SUCCESS", "message": None}
    assert event == finished
    assert len(clock.slept) > 2
    assert clock.slept == pytest.approx([10.0, *[30.0] * (len(clock.slept) - 1)])
    assert cortex_emulator.logins == 2  # the task's own and the trigger's
    wait_until(lambda: not client_threads())


def test_the_first_poll_comes_10_seconds_after_deferral(query_id: str) -> None:
    """Airflow 3.3 may fail a task whose trigger fires earlier."""
    clock = Clock()
    fire(trigger(query_id, poke_interval=1.0, deadline=clock.now + 2.0), clock)
    assert clock.slept == [10.0]


def test_the_deadline_fires_the_trigger(query_id: str) -> None:
    """The last poll comes at it."""
    clock = Clock()
    event: Any = fire(trigger(query_id, started_at=clock.now, deadline=clock.now + 75), clock)
    assert event == {"kind": "query_timeout", "query_id": query_id, "waited": pytest.approx(75)}


def test_an_outage_fires_the_trigger_after_the_contact_timeout(
    query_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses stay the same until then."""
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    clock = Clock()
    event: Any = fire(trigger(query_id, contact_timeout=300.0), clock)
    assert (event["kind"], event["waited"]) == ("query_lost", pytest.approx(300))
    assert clock.slept == pytest.approx([10.0, *[30.0] * 10])
