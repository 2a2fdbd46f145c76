"""The trigger: reads only, fires once, blocks nothing."""

import asyncio
import contextlib
import inspect
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import RejectedError
from airflow_provider_cortex.triggers import CortexFineTuneTrigger, offset
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import Clock, KilledError, client_threads, wait_until
from tests.worker import fire, stored
from tests.xcoms import XComs


def trigger(job_id: str, **changes: Any) -> CortexFineTuneTrigger:
    """Return a trigger that may wait for an hour."""
    now = time.time()
    arguments: dict[str, Any] = {
        "finetune_job_id": job_id,
        "session": {"snowflake_conn_id": "snowflake_default"},
        "started_at": now,
        "deadline": now + 3600,
    }
    return CortexFineTuneTrigger(**(arguments | changes))


def test_database_and_back() -> None:
    """A trigger that was stored is the trigger that was made, argument by argument."""
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
        "standing": {"status": "PENDING", "progress": None, "since": 1.8e9},
        "cancel_on_kill": True,
    }
    made = CortexFineTuneTrigger(**given)  # type: ignore[arg-type]
    assert made.serialize()[1] == given
    assert stored(made).serialize() == made.serialize()


def test_defaults() -> None:
    """A trigger goes by the system's clock, and cancels nothing unless it is told to."""
    made = trigger("ft_1")
    assert made.clock.time() == pytest.approx(time.time(), abs=10)
    assert made.serialize()[1]["cancel_on_kill"] is False
    assert made.serialize()[1]["contact_timeout"] == 900
    assert made.serialize()[1]["stall_timeout"] is None


def test_every_argument_is_stored() -> None:
    """No argument is lost on the way to the triggerer."""
    parameters = set(inspect.signature(CortexFineTuneTrigger).parameters)
    assert set(trigger("ft_1").serialize()[1]) == parameters


def test_first_look_is_late(cortex_emulator: Emulator, connection: str) -> None:
    """The first look comes 10 s after deferral at the earliest, or Airflow 3.3 may fail the task."""
    job = cortex_emulator.jobs.add(model="m")
    clock = Clock()
    fire(trigger(job.id, poke_interval=1.0), clock)
    (slept,) = clock.slept
    assert 10 <= slept < 12


def test_polls_every_poke_interval(cortex_emulator: Emulator, connection: str) -> None:
    """One look every poke_interval, the first one sooner, and one event when the job is over."""
    job = cortex_emulator.jobs.add(model="DB.S.m", life=Life.by_looks(3))
    clock = Clock()
    event: Any = fire(trigger(job.id, poke_interval=45.0), clock)
    assert 10 <= clock.slept[0] <= 55.01
    assert clock.slept[1:] == pytest.approx([45.0] * 3)
    assert json.loads(event["job"])["model"] == "DB.S.m"


def test_the_longest_interval(cortex_emulator: Emulator, connection: str) -> None:
    """max_poke_interval says how rarely a triggerer may look, while the job's end is far off."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS", "progress": 0.1})
    gaps = []
    for longest in (300.0, 1200.0):
        clock = Clock()
        last = clock.now + 7200
        fire(trigger(job.id, max_poke_interval=longest, deadline=last), clock)
        gaps.append(max(clock.slept[1:]))
    assert gaps[0] <= 300 < gaps[1] <= 1200


def test_triggers_look_together(cortex_emulator: Emulator, connection: str) -> None:
    """Triggers that began at different moments look at the same ones from then on."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    marks = []
    now = time.time()
    for late in (0.0, 17.0, 39.5):
        clock = Clock(now + late)
        fire(trigger(job.id, poke_interval=45.0, deadline=clock.now + 300), clock)
        marks.append({round(moment, 3) for moment in clock.woken[:-1]})
    first, *others = marks
    assert all(len(first & other) >= 5 for other in others)


def test_triggerers_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggerers look at different moments, within ten seconds: while a warehouse that one woke is awake."""
    offsets = []
    for number in range(200):
        monkeypatch.setattr("os.getpid", lambda number=number: number)
        offsets.append(offset())
    assert 0 <= min(offsets) < 1
    assert 9 < max(offsets) < 10


def test_an_hour_long_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a poke_interval an hour-long job takes few looks, never within a minute of each other."""
    clock = Clock()
    with Emulator(clock=clock.time, life=Life.by_time(3600)) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", emulator.airflow_connection)
        job = emulator.jobs.add(model="m")
        event: Any = fire(trigger(job.id, started_at=clock.now, deadline=clock.now + 86400), clock)
    assert event["kind"] == "finished"
    assert len(clock.slept) < 35
    assert min(clock.slept) > 59
    assert max(clock.slept) <= 300


def test_a_job_like_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger that knows how long the job takes leaves it alone for most of that."""
    clock = Clock()
    with Emulator(clock=clock.time, life=Life.by_time(3600)) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", emulator.airflow_connection)
        job = emulator.jobs.add(model="m")
        event: Any = fire(
            trigger(
                job.id,
                started_at=clock.now,
                deadline=clock.now + 86400,
                expected_duration=3700.0,
            ),
            clock,
        )
    assert event["kind"] == "finished"
    assert len(clock.slept) < 12
    assert max(clock.slept) > 600


def test_one_session_for_the_whole_wait(cortex_emulator: Emulator, connection: str) -> None:
    """A wait logs in once, and leaves neither session nor thread behind."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(5))
    fire(trigger(job.id), Clock())
    assert cortex_emulator.logins == 1
    assert {statement.session for statement in cortex_emulator.statements} == {1}
    wait_until(lambda: not client_threads())


def test_one_session_for_all_waits(cortex_emulator: Emulator, connection: str) -> None:
    """Triggers of one triggerer log in once, however many they are and however often they look."""
    jobs = [cortex_emulator.jobs.add(model="m", life=Life.by_looks(3)) for _ in range(30)]

    async def wait(job_id: str) -> Any:
        waiting = stored(trigger(job_id))
        waiting.clock = Clock()
        return [event.payload async for event in waiting.run()]

    async def main() -> list[Any]:
        return await asyncio.gather(*(wait(job.id) for job in jobs))

    told = asyncio.run(main())
    assert [json.loads(event["job"])["id"] for (event,) in told] == [job.id for job in jobs]
    assert cortex_emulator.logins == 1
    assert len(cortex_emulator.statements) < 30


def test_reads_only(cortex_emulator: Emulator, connection: str) -> None:
    """A trigger describes the job and does nothing else with it, however often it is restarted."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    for _ in range(3):
        fire(trigger(job.id), Clock())
    assert {"FINETUNE('DESCRIBE'" in s.sql for s in cortex_emulator.statements} == {True}


def test_restart_keeps_the_deadline(cortex_emulator: Emulator, connection: str) -> None:
    """A triggerer that takes the trigger over waits until the same moment, not as long again."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    clock = Clock()
    first = trigger(job.id, deadline=clock.now + 300)
    clock.now += 200  # the first triggerer died here
    event: Any = fire(first, clock)
    assert event["kind"] == "timeout"
    assert clock.now == first.deadline


def test_restart_keeps_the_contact_budget(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """Trouble ends a wait when it has lasted for contact_timeout, however often triggerers are restarted."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, "nobody can read this")
    clock = Clock()
    began = clock.now
    waiting = trigger(job.id, started_at=began, deadline=began + 9000, poke_interval=60.0)
    for death in began + 400, began + 700:
        clock = Clock(clock.now, dies_at=death)
        with pytest.raises(KilledError):
            fire(waiting, clock, XComs.of)
        clock.now += 30
    clock = Clock(clock.now)
    event: Any = fire(waiting, clock, XComs.of)
    assert event["kind"] == "contact_lost"
    # A triggerer's first look comes up to 70 s after it has begun: what is left may be less.
    assert 900 <= event["waited"] < 970
    assert clock.now - began < 1040


def test_a_job_that_stands_still(cortex_emulator: Emulator, connection: str, xcoms: XComs) -> None:
    """A trigger counts from when the worker saw the job come to a stand, and fires when that is long enough ago."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id, progress=0.4)
    clock = Clock()
    stood: dict[str, Any] = {"status": "IN_PROGRESS", "progress": 0.4, "since": clock.now}
    clock.now += 100
    waiting = trigger(
        job.id,
        started_at=stood["since"],
        deadline=clock.now + 9e6,
        stall_timeout=7200.0,
        standing=stood,
    )
    event: Any = fire(waiting, clock, XComs.of)
    assert (event["kind"], event["last_seen"]) == ("stalled", "IN_PROGRESS 40 %")
    assert event["waited"] == pytest.approx(7200)
    assert clock.now == pytest.approx(stood["since"] + 7200)
    assert xcoms == {}  # the trigger's arguments say it all


def test_a_restart_keeps_the_stall(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """A triggerer that takes the trigger over counts from the change that the one before has seen."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id, progress=0.4)
    clock = Clock()
    stood: dict[str, Any] = {"status": "PENDING", "progress": None, "since": clock.now}
    waiting = trigger(
        job.id, started_at=clock.now, deadline=clock.now + 9e6, stall_timeout=1800.0, standing=stood
    )
    dying = Clock(clock.now, dies_at=clock.now + 1200)
    with pytest.raises(KilledError):
        fire(waiting, dying, XComs.of)
    assert xcoms["standing"]["progress"] == 0.4
    assert stood["since"] < xcoms["standing"]["since"] < stood["since"] + 120
    clock = Clock(dying.now + 30)
    event: Any = fire(waiting, clock, XComs.of)
    assert event["kind"] == "stalled"
    assert clock.now == pytest.approx(xcoms["standing"]["since"] + 1800)


def test_nothing_is_noted_unasked(cortex_emulator: Emulator, connection: str, xcoms: XComs) -> None:
    """Without a stall_timeout nobody notes where a job stands."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    event: Any = fire(trigger(job.id), Clock(), XComs.of)
    assert event["kind"] == "finished"
    assert xcoms == {}


def test_contact_is_noted_only_if_it_is_lost(
    cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """A blip is not worth a note; a longer outage is, and the note goes when contact is back."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    cortex_emulator.jobs.answer(job.id, "nobody can read this", looks=1)
    fire(trigger(job.id), Clock(), XComs.of)
    assert xcoms == {}
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    cortex_emulator.jobs.answer(job.id, "nobody can read this", looks=2)
    fire(trigger(job.id), Clock(), XComs.of)
    assert xcoms == {"out_of_contact": None}


def test_no_notes_without_airflow(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Airflow that is in trouble, too, keeps no notes: the wait goes on as if it had."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError

    monkeypatch.setattr("airflow.providers.common.compat.sdk.XCom", Broken(), raising=False)
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    cortex_emulator.jobs.answer(job.id, "nobody can read this", looks=3)
    event: Any = fire(trigger(job.id), Clock(), XComs.of)
    assert event["kind"] == "finished"


def test_lost_session_is_replaced(cortex_emulator: Emulator, connection: str) -> None:
    """A session that Snowflake ends in the middle of a wait is replaced, and the wait goes on."""
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


def test_the_loop_is_never_held(cortex_emulator: Emulator, connection: str) -> None:
    """Login and statements take their time in a thread: other triggers do not notice."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(20))
    gaps = []

    async def probe() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            gaps.append(time.monotonic() - before)

    async def main() -> None:
        watching = asyncio.create_task(probe())
        waiting = trigger(job.id)
        waiting.clock = Clock()
        assert [event async for event in waiting.run()]
        watching.cancel()

    asyncio.run(main())  # BlockBuster fails it on any blocking call of ours
    # Twenty looks of some 10 ms each went by: between them the loop had turns enough.
    assert len(gaps) > 20


def test_cancelled_trigger_leaves_nothing(cortex_emulator: Emulator, connection: str) -> None:
    """A trigger that Airflow cancels ends its session, fires nothing, and lets the job run."""
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


@pytest.mark.parametrize(
    ("cancel_on_kill", "status"), [(False, "IN_PROGRESS"), (True, "CANCELLED")]
)
def test_kill_while_deferred(
    cancel_on_kill: bool,
    status: str,
    cortex_emulator: Emulator,
    connection: str,
    log_lines: Callable[[], list[str]],
) -> None:
    """A deferred task that is marked failed cancels the job only where it was told to, and says what became of it."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    asyncio.run(trigger(job.id, cancel_on_kill=cancel_on_kill).on_kill())
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == status
    told = f"{job.id} is over: CANCELLED" if cancel_on_kill else f"{job.id} runs on"
    assert [line for line in log_lines() if told in line]


def test_kill_by_an_impatient_airflow(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """Airflow 3.3 cancels on_kill each second: the job is cancelled all the same, and it is told in time."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    cortex_emulator.statement_delay = 0.1

    async def main() -> None:
        killed = trigger(job.id, cancel_on_kill=True)
        ending = asyncio.create_task(killed.on_kill())
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.logins)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        ending = asyncio.create_task(killed.cleanup())
        await asyncio.sleep(0)
        ending.cancel()
        await ending
        assert [line for line in log_lines() if f"{job.id} is over: CANCELLED" in line]

    asyncio.run(main())


def test_cleanup_of_a_trigger_that_was_not_killed(cortex_emulator: Emulator) -> None:
    """A trigger that ended, or whose triggerer is stopped, has nothing to wait for."""
    asyncio.run(trigger("ft_1", cancel_on_kill=True).cleanup())
    assert cortex_emulator.logins == 0


def test_kill_that_cannot_cancel(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """A cancel that Snowflake refuses is told in the log, by the job's id."""
    asyncio.run(trigger("ft_gone", cancel_on_kill=True).on_kill())
    assert [line for line in log_lines() if "ft_gone may run on" in line]


def test_a_job_that_vanishes(cortex_emulator: Emulator, connection: str) -> None:
    """A job that is gone in the middle of a wait ends it at once, told with its last known state."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(9))
    cortex_emulator.faults.add("record", requests=1, set={"progress": 0.4, "status": "IN_PROGRESS"})
    cortex_emulator.faults.add("vanish")
    event: Any = fire(trigger(job.id), Clock())
    assert event["kind"] == "refused"
    assert "does not exist" in event["reason"]
    assert f"Last known state of fine-tuning job {job.id}: IN_PROGRESS 40 %" in event["reason"]


def test_connection_out_of_reach(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that Airflow cannot find for a moment is trouble that passes."""
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    event: Any = fire(trigger("ft_1", contact_timeout=300.0), Clock())
    assert event["kind"] == "contact_lost"
    assert event["waited"] == pytest.approx(300)
    assert "snowflake_conn_id" in event["reason"]


def test_client_tells_refusals(cortex_emulator: Emulator, connection: str) -> None:
    """What the hook raises in the thread is raised where it was awaited."""

    async def main() -> None:
        with (
            SharedClient.shared(SessionSettings()) as client,
            pytest.raises(RejectedError, match="ft_gone"),
        ):
            await client.describe("ft_gone")

    asyncio.run(main())
