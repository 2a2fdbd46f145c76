"""What a triggerer takes for a kill: Airflow 3.3 tells it of one, too, when another triggerer has taken the wait over."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.job import Job
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger, CortexQueryTrigger
from airflow_provider_cortex.waiting.wait import IS_NOTED
from tests.clock import Clock
from tests.worker import Instance, Trigger, fire, stored
from tests.xcoms import XComs

needed = pytest.mark.skipif(not IS_NOTED, reason="this Airflow tells no trigger that it is killed")

States = Callable[[str | None], None]

BEGAN = 1.8e9


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> States:
    """Have Airflow tell a triggerer that the task is in the state that is given."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    def is_now(state: str | None) -> None:
        def states(
            dag_id: str, map_index: int, task_ids: list[str], run_ids: list[str]
        ) -> dict[str, dict[str, str | None]]:
            assert (dag_id, task_ids, run_ids) == ("tickets", ["wait"], ["weekly"])
            name = "wait" if map_index < 0 else f"wait_{map_index}"
            return {"weekly": {name: state}}

        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", states)

    return is_now


@pytest.fixture
def job(cortex_emulator: Emulator, connection: str) -> Job:
    """Return a job that runs for long."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    return job


def wait_for(job: Job, **changes: Any) -> CortexFineTuneTrigger:
    """Return a trigger that cancels the job when it is killed."""
    return CortexFineTuneTrigger(
        finetune_job_id=job.id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=BEGAN,
        deadline=BEGAN + 3600,
        **{"cancel_on_kill": True, **changes},
    )


def is_cancelled(job: Job, emulator: Emulator) -> bool:
    status: str = json.loads(emulator.jobs.describe(job.id) or "")["status"]
    assert status in {"IN_PROGRESS", "CANCELLED"}
    return status == "CANCELLED"


def in_triggerer(trigger: Trigger) -> Trigger:
    """Return a trigger as a triggerer has it."""
    mine = stored(trigger)
    mine.task_instance = cast("Any", XComs.of)
    return mine


@pytest.fixture(params=[-1, 3])
def map_index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the task a mapped one, or not."""
    ti = SimpleNamespace(**vars(XComs.of) | {"map_index": request.param})
    monkeypatch.setattr(XComs, "of", ti)


@needed
def test_taken_over(
    job: Job,
    cortex_emulator: Emulator,
    map_index: None,
    xcoms: XComs,
    state: States,
    log_lines: Callable[[], list[str]],
) -> None:
    """A triggerer whose wait another one has taken over cancels nothing while the task waits on."""
    state("deferred")
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert not is_cancelled(job, cortex_emulator)
    (line,) = [line for line in log_lines() if "not cancelled" in line]
    assert f"{job.id} is not cancelled: its task waits on, in another triggerer" in line


@needed
@pytest.mark.parametrize("now", ["scheduled", "running", "failed", "success"])
def test_ended_by_another_triggerer(
    now: str,
    job: Job,
    cortex_emulator: Emulator,
    xcoms: XComs,
    state: States,
    log_lines: Callable[[], list[str]],
) -> None:
    """Nor when the other one has ended the wait since, whatever has become of the task."""
    late = in_triggerer(wait_for(job))
    event: Any = fire(wait_for(job), Clock(BEGAN), XComs.of)
    assert event["kind"] == "timeout"
    state(now)
    asyncio.run(late.on_kill())
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "its wait has ended, in another triggerer" in line]


@needed
@pytest.mark.parametrize("now", ["failed", "success", None, "scheduled", "running"])
def test_killed(
    now: str | None,
    job: Job,
    cortex_emulator: Emulator,
    map_index: None,
    xcoms: XComs,
    state: States,
) -> None:
    """A task that was marked or cleared cancels its job: its wait has not ended, and it does not wait."""
    state(now)
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert is_cancelled(job, cortex_emulator)


@needed
@pytest.mark.parametrize("over_at", [None, BEGAN + 9])
def test_cleared_and_waiting_anew(
    over_at: float | None, job: Job, cortex_emulator: Emulator, xcoms: XComs, state: States
) -> None:
    """A task that was cleared was killed, even if its triggerer hears of that when it waits anew, or has done so."""
    state("deferred")
    xcoms["wait"] = {"started_at": BEGAN + 5, "over_at": over_at}
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert is_cancelled(job, cortex_emulator)


@needed
def test_an_airflow_that_does_not_answer(
    job: Job, cortex_emulator: Emulator, xcoms: XComs, log_lines: Callable[[], list[str]]
) -> None:
    """Where nobody can tell whether the task was killed, nothing is cancelled, and the log says so."""
    asyncio.run(in_triggerer(wait_for(job)).on_kill())  # there is no Airflow
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "does not tell whether its task was killed" in line]


@needed
def test_query(connection: str, cortex_emulator: Emulator, xcoms: XComs, state: States) -> None:
    """It is the same for a statement that runs by itself: it ends with the task, and not with a triggerer."""
    cortex_emulator.query_life = Life.by_time(3600)
    with CortexHook(connection) as hook:
        query_id = hook.submit(Call("SELECT 1", ()), about="wait")
    trigger = CortexQueryTrigger(
        query_id=query_id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=BEGAN,
        deadline=None,
        poke_interval=30,
    )
    became = []
    for now in "deferred", "failed":
        state(now)
        asyncio.run(in_triggerer(trigger).on_kill())
        became.append(str(cortex_emulator.queries.all()[0].status))
    assert became == ["RUNNING", "ABORTED"]


def test_nothing_at_stake(job: Job, cortex_emulator: Emulator, xcoms: XComs) -> None:
    """A wait that never cancels anything notes nothing."""
    fire(wait_for(job, cancel_on_kill=False), Clock(BEGAN), XComs.of)
    assert xcoms == {}


@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_what_is_noted(
    cancel_on_kill: bool, cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """Which wait it is, and that it is over, is noted where a triggerer may be told to cancel."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    sensor = CortexFineTuneSensor(
        task_id="wait", finetune_job_id=job.id, deferrable=True, cancel_on_kill=cancel_on_kill
    )
    instance = Instance(sensor)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({"ti": instance, "dag_run": instance.dag_run})  # type: ignore[typeddict-item]
    trigger: Any = deferred.value.trigger
    clock = Clock()
    fire(trigger, clock, XComs.of)
    is_noted = cancel_on_kill and IS_NOTED
    began = {"started_at": trigger.started_at, "over_at": None}
    assert instance.xcoms.get("wait") == (began if is_noted else None)
    assert xcoms.get("wait") == (began | {"over_at": clock.now} if is_noted else None)
