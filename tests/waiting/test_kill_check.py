"""
Whether a task was killed when Airflow calls its trigger's ``on_kill``.

Airflow 3.3 also calls it when another triggerer has taken the trigger over.
"""

import asyncio
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_cortex.airflow_api.compat import triggers_hear_of_kills
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.tracked_job import Job
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger, CortexQueryTrigger
from airflow_provider_cortex.waiting.checkpoint import KEY, Checkpoint
from tests.clock import Clock
from tests.worker import Instance, Trigger, fire, stored
from tests.xcoms import XComs

needs_on_kill = pytest.mark.skipif(
    not triggers_hear_of_kills(), reason="this Airflow does not call a trigger's on_kill"
)

SetState = Callable[..., None]

BEGAN = 1.8e9


@pytest.fixture
def set_state(monkeypatch: pytest.MonkeyPatch) -> SetState:
    """Let a test choose the state of the task that Airflow reports to a triggerer."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    def set_state(state: str | None, *, after: Callable[[], object] = lambda: None) -> None:
        def states(
            dag_id: str, map_index: int, task_ids: list[str], run_ids: list[str]
        ) -> dict[str, dict[str, str | None]]:
            assert (dag_id, task_ids, run_ids) == ("tickets", ["wait"], ["weekly"])
            after()
            name = "wait" if map_index < 0 else f"wait_{map_index}"
            return {"weekly": {name: state}}

        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", states)

    return set_state


@pytest.fixture
def job(cortex_emulator: Emulator, connection: str) -> Job:
    """Return a job that does not finish."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    return job


def wait_for(job: Job, **changes: Any) -> CortexFineTuneTrigger:
    """Return a trigger that cancels the job when its task is killed."""
    return CortexFineTuneTrigger(
        finetune_job_id=job.id,
        session={"snowflake_conn_id": "snowflake_default"},
        **{"started_at": BEGAN, "deadline": BEGAN + 3600, "cancel_on_kill": True, **changes},
    )


def is_cancelled(job: Job, emulator: Emulator) -> bool:
    """Return whether a job is cancelled; otherwise it still runs."""
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


@needs_on_kill
def test_nothing_is_cancelled_while_the_task_is_deferred(
    job: Job,
    cortex_emulator: Emulator,
    map_index: None,
    xcoms: XComs,
    set_state: SetState,
    log_lines: Callable[[], list[str]],
) -> None:
    """Another triggerer has taken the wait over. The log says so."""
    set_state("deferred")
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert not is_cancelled(job, cortex_emulator)
    (line,) = [line for line in log_lines() if "not cancelled" in line]
    assert f"{job.id} is not cancelled: its task still waits, in another triggerer" in line


@needs_on_kill
@pytest.mark.parametrize("state", ["scheduled", "running", "failed", "success"])
def test_nothing_is_cancelled_after_another_triggerer_has_ended_the_wait(
    state: str,
    job: Job,
    cortex_emulator: Emulator,
    xcoms: XComs,
    set_state: SetState,
    log_lines: Callable[[], list[str]],
) -> None:
    """Whatever has become of the task since."""
    late = in_triggerer(wait_for(job))
    event: Any = fire(wait_for(job), Clock(BEGAN), XComs.of)
    assert event["kind"] == "timeout"
    set_state(state)
    asyncio.run(late.on_kill())
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "its wait has ended in another triggerer" in line]


@needs_on_kill
@pytest.mark.parametrize("state", ["failed", "success", None, "scheduled", "running"])
def test_a_killed_task_cancels_its_job(
    state: str | None,
    job: Job,
    cortex_emulator: Emulator,
    map_index: None,
    xcoms: XComs,
    set_state: SetState,
) -> None:
    """A user marked or cleared it: its wait has not ended, and it is not deferred."""
    set_state(state)
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert is_cancelled(job, cortex_emulator)


@needs_on_kill
@pytest.mark.parametrize("state", ["deferred", "running", "up_for_retry", "failed"])
@pytest.mark.parametrize("ended_at", [None, BEGAN])
def test_a_late_triggerer_does_not_cancel_the_job_of_a_retry(
    ended_at: float | None,
    state: str,
    job: Job,
    cortex_emulator: Emulator,
    xcoms: XComs,
    set_state: SetState,
    log_lines: Callable[[], list[str]],
) -> None:
    """It stood still until the task was retried, and waited for the same job. The log says so."""
    set_state(state)
    xcoms[KEY] = Checkpoint(started_at=time.time() - 30, ended_at=ended_at).to_dict()
    asyncio.run(in_triggerer(wait_for(job, started_at=time.time() - 3600)).on_kill())
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "its task was retried, and waits anew" in line]


@needs_on_kill
@pytest.mark.parametrize("began_after", [-3.0, 3.0])
def test_a_cleared_task_cancels_its_job_even_if_it_waits_anew(
    began_after: float, job: Job, cortex_emulator: Emulator, xcoms: XComs, set_state: SetState
) -> None:
    """It does so within two seconds; Airflow calls ``on_kill`` as late."""
    set_state("deferred")
    xcoms[KEY] = Checkpoint(started_at=time.time() + began_after).to_dict()
    asyncio.run(in_triggerer(wait_for(job, started_at=time.time() - 3600)).on_kill())
    assert is_cancelled(job, cortex_emulator)


@needs_on_kill
def test_a_wait_that_ends_during_the_check_is_not_killed(
    job: Job, cortex_emulator: Emulator, xcoms: XComs, set_state: SetState
) -> None:
    """The other triggerer records its end just before Airflow says that the task resumes."""
    ended = Checkpoint(started_at=BEGAN, ended_at=BEGAN + 9).to_dict()
    set_state("scheduled", after=lambda: xcoms.update({KEY: ended}))
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert not is_cancelled(job, cortex_emulator)


@needs_on_kill
def test_nothing_is_cancelled_if_the_record_cannot_be_read(
    job: Job,
    cortex_emulator: Emulator,
    set_state: SetState,
    log_lines: Callable[[], list[str]],
) -> None:
    """The wait may have ended in another triggerer. The log says that this is unknown."""
    set_state("running")
    asyncio.run(in_triggerer(wait_for(job)).on_kill())  # there is no table of XComs
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "does not say whether its task was killed" in line]


@needs_on_kill
def test_nothing_is_cancelled_if_airflow_does_not_answer(
    job: Job, cortex_emulator: Emulator, xcoms: XComs, log_lines: Callable[[], list[str]]
) -> None:
    """It is then unknown whether the task was killed. The log says so."""
    asyncio.run(in_triggerer(wait_for(job)).on_kill())  # there is no Airflow
    assert not is_cancelled(job, cortex_emulator)
    assert [line for line in log_lines() if "does not say whether its task was killed" in line]


@needs_on_kill
def test_a_statement_is_cancelled_only_if_its_task_was_killed(
    connection: str, cortex_emulator: Emulator, xcoms: XComs, set_state: SetState
) -> None:
    """The same counts for a statement that runs without a session."""
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
    found = []
    for state in "deferred", "failed":
        set_state(state)
        asyncio.run(in_triggerer(trigger).on_kill())
        found.append(str(cortex_emulator.queries.all()[0].status))
    assert found == ["RUNNING", "ABORTED"]


@needs_on_kill
def test_an_outage_keeps_what_the_kill_check_needs(
    job: Job, cortex_emulator: Emulator, xcoms: XComs, set_state: SetState
) -> None:
    """One record has the outage, when the wait began, and that it has not ended."""
    cortex_emulator.jobs.answer(job.id, "This is no JSON.")
    fire(wait_for(job, cancel_on_kill=False), Clock(BEGAN), XComs.of)
    assert Checkpoint.read(xcoms[KEY]) is not None
    assert (xcoms[KEY]["started_at"], xcoms[KEY]["ended_at"]) == (BEGAN, None)
    cortex_emulator.jobs.answer(job.id, None, looks=0)
    set_state("failed")
    asyncio.run(in_triggerer(wait_for(job)).on_kill())
    assert is_cancelled(job, cortex_emulator)


def test_a_wait_that_never_cancels_records_nothing(
    job: Job, cortex_emulator: Emulator, xcoms: XComs
) -> None:
    """Each record costs a call to Airflow."""
    fire(wait_for(job, cancel_on_kill=False), Clock(BEGAN), XComs.of)
    assert xcoms == {}


@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_the_beginning_and_the_end_of_a_wait_are_recorded(
    cancel_on_kill: bool, cortex_emulator: Emulator, connection: str, xcoms: XComs
) -> None:
    """On the worker and in the triggerer, where a kill may cancel the job."""
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
    is_recorded = cancel_on_kill and triggers_hear_of_kills()
    begun = Checkpoint(started_at=trigger.started_at).to_dict()
    assert instance.xcoms.get(KEY) == (begun if is_recorded else None)
    assert xcoms.get(KEY) == (begun | {"ended_at": clock.now} if is_recorded else None)
