"""A deferred sensor: when it defers, what its trigger gets, and how it resumes."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import ContactLostError, TriggerCrashedError
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from airflow_provider_cortex.waiting import event
from tests.tasks import sensor
from tests.worker import AIRFLOW_2, Instance, Worker


def context(wait: CortexFineTuneSensor, **instance: Any) -> Any:
    """Return the context in which Airflow would run the sensor."""
    return {"ti": Instance(wait, **instance)}


def defer(wait: CortexFineTuneSensor, **instance: Any) -> TaskDeferred:
    """Run a sensor until it defers."""
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait, **instance))
    return deferred.value


# --- When it defers ----------------------------------------------------------------------------


def test_a_finished_job_never_defers(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The worker polls once before it defers."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    result = worker.run(lambda: sensor(job.id, deferrable=True))
    assert (result.state, result.deferrals) == ("success", 0)


def test_an_unknown_job_never_defers(connection: str, worker: Worker) -> None:
    """A job that Cortex does not know fails at once, and the error names it."""
    result = worker.run(lambda: sensor("ft_nobody", deferrable=True))
    assert (result.state, result.deferrals) == ("failed", 0)
    assert "ft_nobody" in str(result.error)


# --- What the trigger gets ---------------------------------------------------------------------


def test_the_trigger_holds_no_secret(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Airflow's database keeps names the connection, and holds nothing of its content."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings |= {"login": "s3cret-user", "password": "s3cret-word"}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    stored = json.dumps(defer(sensor(job.id, deferrable=True, role="R")).trigger.serialize())
    assert "snowflake_default" in stored
    assert "s3cret" not in stored
    assert str(cortex_emulator.port) not in stored


def test_the_trigger_gets_the_sensor_s_arguments(
    cortex_emulator: Emulator, connection: str
) -> None:
    """The trigger waits as the sensor's arguments say, and the wait's start comes back."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(
        job.id,
        deferrable=True,
        timeout=7200,
        poke_interval=None,
        max_poke_interval=90,
        contact_timeout=70,
        cancel_on_kill=True,
        role="TRAINER",
    )
    began = datetime.now(tz=UTC) - timedelta(hours=1)
    deferred = defer(wait, start_date=began)
    arguments = deferred.trigger.serialize()[1]
    assert arguments["finetune_job_id"] == job.id
    assert (arguments["poke_interval"], arguments["max_poke_interval"]) == (None, 90)
    assert (arguments["contact_timeout"], arguments["cancel_on_kill"]) == (70, True)
    assert arguments["session"]["role"] == "TRAINER"
    assert "airflow-provider-cortex" in arguments["session"]["query_tag"]
    assert "weekly" in arguments["session"]["query_tag"]
    assert arguments["started_at"] == began.timestamp()
    assert deferred.kwargs == {"started_at": began.timestamp()}


def test_deadlines_count_from_the_start_of_the_task(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Trigger and deferral end at moments that count from the task's start, not its deferral."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    began = datetime.now(tz=UTC) - timedelta(hours=1)
    deferred = defer(sensor(job.id, deferrable=True, timeout=7200), start_date=began)
    trigger: Any = deferred.trigger
    assert trigger.deadline == began.timestamp() + 7200
    assert timedelta(minutes=60) < (deferred.timeout or timedelta()) < timedelta(minutes=62)


def test_the_trigger_gets_the_job_s_last_change(cortex_emulator: Emulator, connection: str) -> None:
    """A stall counts on in the triggerer from when the worker saw the job."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    began = time.time()
    deferred = defer(sensor(job.id, deferrable=True, stall_timeout=timedelta(hours=2)))
    arguments = deferred.trigger.serialize()[1]
    assert arguments["stall_timeout"] == 7200
    change = arguments["checkpoint"]["last_change"]
    assert (change["status"], change["progress"]) == ("PENDING", 0)
    assert began <= change["since"] <= time.time()


def test_a_deferred_sensor_cancels_nothing_by_default(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Without cancel_on_kill a killed sensor leaves the job alone, on a worker and deferred."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True)
    wait.on_kill()
    trigger = defer(wait).trigger
    assert isinstance(trigger, CortexFineTuneTrigger)
    assert trigger.cancel_on_kill is False
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == "PENDING"


# --- How it resumes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"status": "success", "model": "m"}, {"kind": "finished", "version": 9}],
    ids=repr,
)
@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({}, "up_for_retry"),
        ({"soft_fail": True}, "up_for_retry"),
        ({"never_fail": True}, "skipped"),
    ],
)
def test_an_unknown_event_is_never_a_success(
    payload: object,
    flags: dict[str, bool],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """An event that this package did not write fails the task, to be retried."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    worker.event = lambda _: payload
    result = worker.run(lambda: sensor(job.id, deferrable=True, **flags))
    assert result.state == state, result
    assert "return_value" not in result.xcoms


TIMED_OUT = "Trigger/execution timeout" if AIRFLOW_2 else "Trigger timeout"
"""Why Airflow ended a deferral, if its timeout has passed."""


def resume_after(reason: str, wait: CortexFineTuneSensor, **instance: Any) -> object:
    """Resume a task as Airflow does when its trigger has ended without an event."""
    arguments = {"error": reason, "traceback": ["Traceback\n", "RuntimeError: bug\n"]}
    return wait.resume_execution("__fail__", arguments, context(wait, **instance))


def test_a_resumed_wait_counts_from_its_start(cortex_emulator: Emulator, connection: str) -> None:
    """A wait that goes on after it resumed counts its timeout from where it began."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    wait = sensor(job.id, deferrable=True, timeout=3600, silent_fail=True)
    lost = event.stopped(ContactLostError(job.id, 900, "503", "PENDING"))
    resumed = {"event": lost, "started_at": time.time() - 7200}
    with pytest.raises(AirflowSensorTimeout, match=r"after 72\d\d s"):
        wait.resume_execution("execute_complete", resumed, context(wait))


def test_a_crashed_trigger_fails_the_task(cortex_emulator: Emulator, connection: str) -> None:
    """A crashed trigger fails the task with the reason, by the rules of a poll that fails."""
    job = cortex_emulator.jobs.add(model="m")
    with pytest.raises(TriggerCrashedError, match=rf"{job.id} crashed: Trigger failure\."):
        resume_after("Trigger failure", sensor(job.id, deferrable=True))
    with pytest.raises(AirflowSkipException):
        resume_after("Trigger failure", sensor(job.id, deferrable=True, never_fail=True))


@pytest.mark.parametrize("state", ["SUCCESS", "IN_PROGRESS"])
def test_without_a_triggerer_the_worker_polls_a_last_time(
    state: str, cortex_emulator: Emulator, connection: str
) -> None:
    """If Airflow ends the deferral, the worker polls once more, and reports what it finds."""
    job = cortex_emulator.jobs.add(model="m")
    if state == "IN_PROGRESS":
        cortex_emulator.jobs.stall(job.id)
    wait = sensor(job.id, deferrable=True, timeout=60)
    if state == "SUCCESS":
        assert resume_after(TIMED_OUT, wait) == job.model
    else:
        with pytest.raises(AirflowSensorTimeout, match="may still be running"):
            resume_after(TIMED_OUT, wait)
