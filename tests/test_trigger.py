"""The trigger: it only reads, fires once, and blocks nothing."""

import asyncio
import contextlib
import inspect
import json
import time
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from airflow_provider_cortex.triggers.waits import offset
from tests.clock import Clock, client_threads, wait_until
from tests.triggers import trigger
from tests.worker import fire, stored


def test_a_stored_trigger_has_the_same_arguments() -> None:
    """Each argument survives Airflow's database."""
    given = {
        "finetune_job_id": "ft_1",
        "session": {"snowflake_conn_id": "sf", "session_parameters": {"TIMEZONE": "UTC"}},
        "started_at": 1.8e9,
        "deadline": 1.9e9,
        "poke_interval": 300.0,
        "max_poke_interval": 600.0,
        "expected_duration": 3600.0,
        "contact_timeout": 60.0,
        "stall_timeout": 7200.0,
        "checkpoint": {
            "started_at": 1.8e9,
            "ended_at": None,
            "outage": None,
            "last_change": {"status": "PENDING", "progress": None, "since": 1.8e9},
        },
        "cancel_on_kill": True,
    }
    made = CortexFineTuneTrigger(**given)  # type: ignore[arg-type]
    assert made.serialize()[1] == given
    assert stored(made).serialize() == made.serialize()


def test_by_default_a_trigger_cancels_nothing() -> None:
    """It retries for 15 minutes, and waits for a job that does not change."""
    made = trigger("ft_1")
    assert made.clock.time() == pytest.approx(time.time(), abs=10)
    assert made.serialize()[1]["cancel_on_kill"] is False
    assert made.serialize()[1]["contact_timeout"] == 900
    assert made.serialize()[1]["stall_timeout"] is None


def test_every_argument_is_stored() -> None:
    """A new argument, too."""
    parameters = set(inspect.signature(CortexFineTuneTrigger).parameters)
    assert set(trigger("ft_1").serialize()[1]) == parameters


def test_the_first_poll_comes_10_seconds_after_deferral(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Airflow 3.3 may fail a task whose trigger fires earlier."""
    job = cortex_emulator.jobs.add(model="m")
    clock = Clock()
    fire(trigger(job.id, poke_interval=1.0), clock)
    (slept,) = clock.slept
    assert 10 <= slept < 12


@pytest.mark.usefixtures("one_trigger")
def test_a_poke_interval_is_kept_and_the_first_poll_is_sooner(
    cortex_emulator: Emulator, connection: str
) -> None:
    """One poll every poke_interval, and one event when the job has finished."""
    job = cortex_emulator.jobs.add(model="DB.S.m", life=Life.by_looks(3))
    clock = Clock()
    event: Any = fire(trigger(job.id, poke_interval=45.0), clock)
    assert 10 <= clock.slept[0] <= 55.01
    assert clock.slept[1:] == pytest.approx([45.0] * 3)
    assert json.loads(event["job"])["model"] == "DB.S.m"


@pytest.mark.usefixtures("one_trigger")
def test_max_poke_interval_bounds_the_pauses(cortex_emulator: Emulator, connection: str) -> None:
    """While the job's end is far off, pauses are up to that long."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS", "progress": 0.1})
    longest_pauses = []
    for limit in (300.0, 1200.0):
        clock = Clock()
        fire(trigger(job.id, max_poke_interval=limit, deadline=clock.now + 7200), clock)
        longest_pauses.append(max(clock.slept[1:]))
    assert longest_pauses[0] <= 300 < longest_pauses[1] <= 1200


@pytest.mark.usefixtures("one_trigger")
def test_triggers_poll_at_the_same_moments(cortex_emulator: Emulator, connection: str) -> None:
    """Whenever they began: so their polls share statements."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    moments = []
    now = time.time()
    for late in (0.0, 17.0, 39.5):
        clock = Clock(now + late)
        fire(trigger(job.id, poke_interval=45.0, deadline=clock.now + 300), clock)
        moments.append({round(moment, 3) for moment in clock.woken[:-1]})
    first, *others = moments
    assert all(len(first & other) >= 5 for other in others)


@pytest.mark.parametrize("what", ["triggerers", "connections"])
def test_triggerers_and_connections_are_spread_over_ten_seconds(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not poll at once, but while the warehouse that one of them woke is awake."""
    offsets = []
    for number in range(200):
        settings = SessionSettings()
        if what == "triggerers":
            monkeypatch.setattr("os.getpid", lambda number=number: number)
        else:
            settings = SessionSettings(snowflake_conn_id=f"team_{number}")
        offsets.append(offset(settings))
    assert 0 <= min(offsets) < 1
    assert 9 < max(offsets) < 10


def test_tasks_that_share_a_session_poll_at_the_same_moments() -> None:
    """Whatever their query tags are."""
    one, other = SessionSettings(query_tag="one"), SessionSettings(query_tag="other")
    assert offset(one) == offset(other)


def wait_for_an_hour(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[float]:
    """Return the pauses of a trigger that waits for a job of one hour."""
    clock = Clock(1.8e9)
    with Emulator(tls=False, clock=clock.time, life=Life.by_time(3600)) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", emulator.airflow_connection)
        job = emulator.jobs.add(model="m")
        waiting = trigger(job.id, started_at=clock.now, deadline=clock.now + 86400, **changes)
        event: Any = fire(waiting, clock)
    assert event["kind"] == "finished"
    return clock.slept


@pytest.mark.usefixtures("one_trigger")
def test_a_job_of_one_hour_takes_few_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a poke_interval, pauses are from one minute to five."""
    pauses = wait_for_an_hour(monkeypatch)
    assert len(pauses) < 40
    assert min(pauses) > 59
    assert max(pauses) <= 300


@pytest.mark.usefixtures("one_trigger")
def test_a_job_of_known_duration_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time that it takes passes without a poll."""
    pauses = wait_for_an_hour(monkeypatch, expected_duration=3700.0)
    assert len(pauses) < 12
    assert max(pauses) > 600


@pytest.mark.usefixtures("one_trigger")
def test_a_wait_has_one_session(cortex_emulator: Emulator, connection: str) -> None:
    """It logs in once, and leaves neither session nor thread behind."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(5))
    fire(trigger(job.id), Clock())
    assert cortex_emulator.logins == 1
    assert {statement.session for statement in cortex_emulator.statements} == {1}
    wait_until(lambda: not client_threads())


def test_all_triggers_of_a_triggerer_share_one_session(
    cortex_emulator: Emulator, connection: str
) -> None:
    """They log in once, however many they are and however often they poll."""
    jobs = [cortex_emulator.jobs.add(model="m", life=Life.by_looks(3)) for _ in range(30)]

    async def wait(job_id: str) -> Any:
        waiting = stored(trigger(job_id))
        waiting.clock = Clock()
        return [event.payload async for event in waiting.run()]

    async def main() -> list[Any]:
        return await asyncio.gather(*(wait(job.id) for job in jobs))

    events = asyncio.run(main())
    assert [json.loads(event["job"])["id"] for (event,) in events] == [job.id for job in jobs]
    assert cortex_emulator.logins == 1
    assert len(cortex_emulator.statements) < 30


@pytest.mark.usefixtures("one_trigger")
def test_a_trigger_only_describes_the_job(cortex_emulator: Emulator, connection: str) -> None:
    """However often it is restarted."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    for _ in range(3):
        fire(trigger(job.id), Clock())
    assert {"FINETUNE('DESCRIBE'" in s.sql for s in cortex_emulator.statements} == {True}


@pytest.mark.usefixtures("one_trigger")
def test_a_lost_session_is_replaced(cortex_emulator: Emulator, connection: str) -> None:
    """If Snowflake ends the session in the middle of a wait, the wait goes on."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(3))
    clock = Clock()
    sleep = clock.sleep

    async def sleep_and_lose(seconds: float) -> None:
        await sleep(seconds)
        if len(clock.slept) == 3:
            cortex_emulator.faults.add("expire")

    clock.sleep = sleep_and_lose  # type: ignore[method-assign]
    event: Any = fire(trigger(job.id), clock)
    assert event["kind"] == "finished"
    assert cortex_emulator.logins == 2


@pytest.mark.usefixtures("one_trigger")
def test_a_poll_does_not_block_the_event_loop(cortex_emulator: Emulator, connection: str) -> None:
    """Logins and statements run in a thread: other triggers go on."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(20))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    async def main() -> None:
        counting = asyncio.create_task(count())
        waiting = trigger(job.id)
        waiting.clock = Clock()
        assert [event async for event in waiting.run()]
        counting.cancel()

    asyncio.run(main())  # BlockBuster fails the test if this package blocks the loop
    assert turns > 20  # twenty polls of some 10 ms each


def test_a_cancelled_trigger_leaves_nothing(cortex_emulator: Emulator, connection: str) -> None:
    """It closes its session, fires nothing, and the job goes on."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)

    async def main() -> None:
        waiting = trigger(job.id)
        waiting.clock = Clock()

        async def first_event() -> object:
            return await anext(aiter(waiting.run()))

        run = asyncio.create_task(first_event())
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run

    asyncio.run(main())
    wait_until(lambda: not client_threads())
    assert not [s for s in cortex_emulator.statements if "CANCEL" in s.sql]
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == "IN_PROGRESS"


def test_a_vanished_job_ends_the_wait_at_once(cortex_emulator: Emulator, connection: str) -> None:
    """The event has its last known state."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(9))
    cortex_emulator.faults.add("record", requests=1, set={"progress": 0.4, "status": "IN_PROGRESS"})
    cortex_emulator.faults.add("vanish")
    event: Any = fire(trigger(job.id), Clock())
    assert event["kind"] == "rejected"
    assert "does not exist" in event["reason"]
    assert f"Last known state of fine-tuning job {job.id}: IN_PROGRESS 40 %" in event["reason"]


def test_an_id_that_cannot_be_sent_ends_the_wait(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Nothing is sent to Snowflake."""
    event: Any = fire(trigger("ft_\0"), Clock())
    assert event["kind"] == "rejected"
    assert "cannot be sent to Snowflake" in event["reason"]
    assert cortex_emulator.statements == []


def test_a_missing_connection_is_a_transient_error(
    connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker found it before: Airflow may find it again."""
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    event: Any = fire(trigger("ft_1", contact_timeout=300.0), Clock())
    assert event["kind"] == "contact_lost"
    assert event["waited"] == pytest.approx(300)
    assert "snowflake_conn_id" in event["reason"]
