"""The record of a wait: what survives a triggerer, a reschedule or a retry."""

import asyncio
import json
import logging
import threading
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.waiting import checkpoint as checkpoints
from airflow_provider_cortex.waiting.checkpoint import (
    KEY,
    Checkpoint,
    LastChange,
    Outage,
    XComCheckpoint,
)
from airflow_provider_cortex.waiting.task_state_store import TaskStateStore, store_for_stalls
from tests.clock import wait_until
from tests.waiting.pollers import job
from tests.xcoms import XComs

log = logging.getLogger(__name__)

BEGUN = Checkpoint(started_at=1000.0)
FULL = Checkpoint(
    started_at=1000.0,
    ended_at=4600.0,
    outage=Outage(since=1.5, until=2.0),
    last_change=LastChange(status="PENDING", progress=None, since=1000.5),
)


# --- The record ----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [BEGUN, FULL])
def test_a_record_is_read_as_it_was_written(record: Checkpoint) -> None:
    """Airflow keeps it as JSON."""
    stored = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert Checkpoint.read(stored) == record


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        [],
        "started_at",
        {"started_at": 1.0},
        {"started_at": "1", "ended_at": None, "outage": None, "last_change": None},
        {"started_at": 1.0, "ended_at": "2", "outage": None, "last_change": None},
    ],
)
def test_an_unknown_record_is_ignored(stored: object) -> None:
    """Something else, or another version of this package, may have written it."""
    assert Checkpoint.read(stored) is None


@pytest.mark.parametrize(
    "stored",
    [None, {}, [], "since", {"since": 1.0}, {"since": "1", "until": 2}, {"until": 2.0}],
)
def test_an_unknown_outage_is_ignored(stored: object) -> None:
    """The rest of the record counts."""
    assert Outage.read(stored) is None
    assert Checkpoint.read(BEGUN.to_dict() | {"outage": stored}) == BEGUN


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        "PENDING",
        {"status": "PENDING", "since": 1.0},
        {"status": "PENDING", "progress": "half", "since": 1.0},
        {"status": None, "progress": None, "since": 1.0},
        {"status": "PENDING", "progress": None, "since": "1"},
    ],
)
def test_an_unknown_change_is_ignored(stored: object) -> None:
    """The rest of the record counts."""
    assert LastChange.read(stored) is None
    assert Checkpoint.read(BEGUN.to_dict() | {"last_change": stored}) == BEGUN


@pytest.mark.parametrize(("status", "kept"), [("in_progress", "IN_PROGRESS"), ("Paused", "Paused")])
def test_a_change_has_the_status_and_the_progress(status: str, kept: str) -> None:
    """A known status by its name, an unknown one as Cortex wrote it."""
    change = LastChange.of(job(status=status, progress=0.25), since=7.0)
    assert change == LastChange(status=kept, progress=0.25, since=7.0)


# --- The task state store, on a worker -----------------------------------------------------------


class Store(dict[str, Any]):
    """Airflow's task state store, which works unless *error* is set."""

    error: Exception | None = None

    def get(self, key: str) -> Any:  # type: ignore[override]
        """Return a value."""
        if self.error:
            raise self.error
        return super().get(key)

    def set(self, key: str, value: object) -> None:
        """Keep a value."""
        if self.error:
            raise self.error
        self[key] = value


def test_a_task_store_keeps_one_value_under_its_key() -> None:
    """Other values of the task stay as they are."""
    airflow_store = Store({"other": 1})
    store = TaskStateStore({"task_state_store": airflow_store}, "mine", log)
    assert store.exists
    assert store.read() is None
    store.write({"a": 1})
    assert store.read() == {"a": 1}
    assert airflow_store == {"other": 1, "mine": {"a": 1}}


def test_without_a_store_nothing_is_kept() -> None:
    """Airflow before 3.3 has none."""
    store = TaskStateStore({}, "mine", log)
    assert not store.exists
    store.write(1)
    assert store.read() is None


def test_a_broken_store_does_not_fail_the_task(caplog: pytest.LogCaptureFixture) -> None:
    """Its errors are warnings: the record is a help, and no more."""
    airflow_store = Store()
    airflow_store.error = ConnectionError("no database")
    store = TaskStateStore({"task_state_store": airflow_store}, "mine", log)
    store.write(1)
    assert store.read() is None
    assert caplog.messages == [
        "Airflow's task state store cannot be written: no database",
        "Airflow's task state store cannot be read: no database",
    ]


def test_a_rescheduled_sensor_needs_a_store_for_its_stall_timeout() -> None:
    """The error says what to do where Airflow has none."""
    store = store_for_stalls({"task_state_store": Store()}, KEY, 60.0, log)
    store.write(BEGUN.to_dict())
    assert Checkpoint.read(store.read()) == BEGUN
    with pytest.raises(ArgumentError, match=r"^stall_timeout needs Airflow 3\.3.*mode='poke'"):
        store_for_stalls({}, KEY, 60.0, log)


# --- The XCom, in a triggerer --------------------------------------------------------------------


def test_the_next_triggerer_loads_what_was_saved(xcoms: XComs) -> None:
    """The record is an XCom of the task."""

    async def main() -> None:
        first = XComCheckpoint(XComs.of, BEGUN)
        assert await first.load() is None
        await first.save(FULL)
        assert xcoms == {KEY: FULL.to_dict()}
        assert await XComCheckpoint(XComs.of, BEGUN).load() == FULL

    asyncio.run(main())


def test_only_a_changed_record_is_saved(xcoms: XComs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write costs a call to Airflow. What was loaded counts as saved."""
    writes: list[object] = []
    set_xcom = compat.set_xcom

    def counted(ti: Any, key: str, value: object) -> None:
        writes.append(value)
        set_xcom(ti, key, value)

    monkeypatch.setattr(compat, "set_xcom", counted)

    running = replace(FULL, ended_at=None)

    async def main() -> None:
        checkpoint = XComCheckpoint(XComs.of, BEGUN)
        await checkpoint.save(BEGUN)
        await checkpoint.save(running)
        await checkpoint.save(running)
        other = XComCheckpoint(XComs.of, BEGUN)
        await other.load()
        await other.save(running)
        await other.save(BEGUN)

    asyncio.run(main())
    assert writes == [running.to_dict(), BEGUN.to_dict()]


@pytest.mark.parametrize("newer", [FULL, replace(BEGUN, started_at=2000.0)], ids=["end", "retry"])
def test_a_late_triggerer_does_not_replace_a_newer_record(newer: Checkpoint, xcoms: XComs) -> None:
    """Another triggerer has ended the wait, or a later try of the task waits anew."""

    async def main() -> None:
        late = XComCheckpoint(XComs.of, BEGUN)
        await XComCheckpoint(XComs.of, BEGUN).save(newer)
        await late.save(replace(BEGUN, outage=FULL.outage))

    asyncio.run(main())
    assert xcoms == {KEY: newer.to_dict()}


def test_a_trigger_that_no_triggerer_runs_keeps_no_record(xcoms: XComs) -> None:
    """It has no task instance."""

    async def main() -> None:
        checkpoint = XComCheckpoint(None, BEGUN)
        await checkpoint.save(FULL)
        assert await checkpoint.load() is None

    asyncio.run(main())
    assert xcoms == {}


def test_an_error_of_airflow_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait goes on without a record."""

    def broken(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(compat, "get_xcom", broken)
    monkeypatch.setattr(compat, "set_xcom", broken)

    async def main() -> None:
        checkpoint = XComCheckpoint(XComs.of, BEGUN)
        assert await checkpoint.load() is None
        await checkpoint.save(FULL)

    asyncio.run(main())


TASK: ContextVar[str] = ContextVar("TASK", default="none")


def test_log_lines_of_a_call_to_airflow_belong_to_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A triggerer may answer after the task's log has been closed."""
    contexts = []
    monkeypatch.setattr(compat, "get_xcom", lambda *_: contexts.append(TASK.get()))

    async def main() -> None:
        TASK.set("this one")
        await XComCheckpoint(XComs.of, BEGUN).load()

    asyncio.run(main())
    assert contexts == ["none"]


def test_an_airflow_that_does_not_answer_does_not_stop_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a call is open, no other is made; it is never cancelled, even if the wait is."""
    monkeypatch.setattr(checkpoints, "READ_TIMEOUT_SECONDS", 0.01)
    answers, calls = threading.Event(), []

    def slow(_: object, __: object) -> object:
        calls.append("begun")
        answers.wait(20)
        calls.append("answered")
        return FULL.to_dict()

    monkeypatch.setattr(compat, "get_xcom", slow)

    async def main() -> None:
        checkpoint = XComCheckpoint(XComs.of, BEGUN)
        assert await checkpoint.load() is None
        assert await checkpoint.load() is None
        assert calls == ["begun"]
        monkeypatch.setattr(checkpoints, "READ_TIMEOUT_SECONDS", 20.0)
        waiting = asyncio.create_task(XComCheckpoint(XComs.of, BEGUN).load())
        await asyncio.to_thread(wait_until, lambda: len(calls) == 2)
        waiting.cancel()
        answers.set()
        await asyncio.to_thread(wait_until, lambda: len(calls) == 4)

    asyncio.run(main())
    assert calls == ["begun", "begun", "answered", "answered"]
