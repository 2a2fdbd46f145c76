"""A triggerer that takes a trigger over goes on where the other one was."""

from typing import Any

import pytest

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.triggers import CortexQueryTrigger
from airflow_provider_cortex.waiting.checkpoint import KEY, Checkpoint, LastChange
from tests.clock import Clock, KilledError
from tests.triggers import trigger
from tests.worker import Trigger, fire
from tests.xcoms import XComs

UNREADABLE = "This is no JSON."

pytestmark = pytest.mark.usefixtures("one_trigger")


def fire_in_triggerers(waiting: Trigger, clock: Clock, *deaths: float) -> tuple[Any, Clock]:
    """
    Run a trigger in one triggerer after another, and return its event and the last one's clock.

    :param deaths: when each triggerer dies, epoch seconds; another takes over 30 s later.
    """
    for death in deaths:
        clock = Clock(clock.now, dies_at=death)
        with pytest.raises(KilledError):
            fire(waiting, clock, XComs.of)
        clock.now += 30
    clock = Clock(clock.now)
    return fire(waiting, clock, XComs.of), clock


def test_a_restart_keeps_the_deadline(cortex_emulator: Emulator, connection: str) -> None:
    """The wait ends at the same moment, not after the same time."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    clock = Clock()
    waiting = trigger(job.id, deadline=clock.now + 300)
    clock.now += 200  # the first triggerer died here
    event: Any = fire(waiting, clock)
    assert event["kind"] == "timeout"
    assert clock.now == waiting.deadline


@pytest.mark.parametrize("deaths", [(400, 700), (400, 500, 600, 700)])
def test_a_restart_keeps_the_contact_timeout(
    deaths: tuple[float, ...], cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """However often triggerers are restarted, even if each of them polls only once."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, UNREADABLE)
    clock = Clock()
    began = clock.now
    waiting = trigger(job.id, started_at=began, deadline=began + 9000, poke_interval=60.0)
    event, clock = fire_in_triggerers(waiting, clock, *(began + death for death in deaths))
    assert event["kind"] == "contact_lost"
    # A triggerer's first poll comes up to 70 s after it started: the remaining time may be less.
    assert 900 <= event["waited"] < 970
    assert clock.now - began < 1040


def test_a_restart_keeps_the_contact_timeout_of_a_statement(
    connection: str, xcoms: XComs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same counts for a statement that runs without a session."""
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    clock = Clock()
    began = clock.now
    waiting = CortexQueryTrigger(
        query_id="01b7",
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=began,
        deadline=None,
        poke_interval=30.0,
    )
    event, _ = fire_in_triggerers(waiting, clock, began + 400, began + 700)
    assert (event["kind"], event["query_id"]) == ("query_lost", "01b7")
    assert 900 <= event["waited"] < 970


def stalled(emulator: Emulator) -> str:
    """Return a job that stays at 40 %."""
    job = emulator.jobs.add(model="m")
    emulator.jobs.stall(job.id, progress=0.4)
    return job.id


def polled_on_the_worker(now: float, status: str, progress: float | None) -> dict[str, Any]:
    """Return what the worker recorded when it deferred."""
    change = LastChange(status=status, progress=progress, since=now)
    return Checkpoint(started_at=now, last_change=change).to_dict()


def test_the_stall_timeout_counts_from_the_workers_poll(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """The trigger's arguments have the last change that the worker saw; no XCom is needed."""
    clock = Clock()
    began = clock.now
    waiting = trigger(
        stalled(cortex_emulator),
        started_at=began,
        deadline=began + 9e6,
        stall_timeout=7200.0,
        checkpoint=polled_on_the_worker(began, "IN_PROGRESS", 0.4),
    )
    clock.now += 100
    event: Any = fire(waiting, clock, XComs.of)
    assert (event["kind"], event["last_seen"]) == ("stalled", "IN_PROGRESS 40 %")
    assert event["waited"] == pytest.approx(7200)
    assert clock.now == pytest.approx(began + 7200)
    assert xcoms == {}


def test_a_restart_keeps_the_stall_timeout(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """It counts from the last change that the earlier triggerer saw."""
    clock = Clock()
    began = clock.now
    waiting = trigger(
        stalled(cortex_emulator),
        started_at=began,
        deadline=began + 9e6,
        stall_timeout=1800.0,
        checkpoint=polled_on_the_worker(began, "PENDING", None),
    )
    event, clock = fire_in_triggerers(waiting, clock, began + 1200)
    change = xcoms[KEY]["last_change"]
    assert change["progress"] == 0.4
    assert began < change["since"] < began + 120
    assert event["kind"] == "stalled"
    assert clock.now == pytest.approx(change["since"] + 1800)


def test_without_a_stall_timeout_no_change_is_recorded(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """A wait without errors writes no XCom."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    event: Any = fire(trigger(job.id), Clock(), XComs.of)
    assert event["kind"] == "finished"
    assert xcoms == {}


@pytest.mark.parametrize("failed_polls", [1, 2])
def test_an_outage_is_recorded_from_its_second_failed_poll(
    failed_polls: int,
    cortex_emulator: Emulator,
    connection: str,
    xcoms: XComs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After an answer, the record has no outage any more. An earlier record is read once."""
    written: list[Any] = []
    read: list[str] = []
    set_xcom = compat.set_xcom

    def kept(ti: Any, key: str, value: Any) -> None:
        written.append(value["outage"] is not None)
        set_xcom(ti, key, value)

    monkeypatch.setattr(compat, "set_xcom", kept)
    monkeypatch.setattr(compat, "get_xcom", lambda _, key: read.append(key))
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    cortex_emulator.jobs.answer(job.id, UNREADABLE, looks=failed_polls)
    waiting = trigger(job.id)
    fire(waiting, Clock(), XComs.of)
    assert written == ([] if failed_polls == 1 else [True, False])
    assert len(read) == 1 + len(written)  # before a write, it looks for a newer record
    assert xcoms.get(KEY) in (None, Checkpoint(started_at=waiting.started_at).to_dict())


def test_an_airflow_without_answers_does_not_end_the_wait(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be down, too: then nothing is recorded, and the wait goes on."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError

    monkeypatch.setattr(compat, "XCom", Broken())
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    cortex_emulator.jobs.answer(job.id, UNREADABLE, looks=3)
    event: Any = fire(trigger(job.id), Clock(), XComs.of)
    assert event["kind"] == "finished"
