"""A CANCEL that fails: it counts as done only if the job has finished all the same."""

import asyncio
import time
from collections.abc import Callable

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.job import Status
from airflow_provider_cortex.operators import CortexCancelFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from tests.worker import Result, Worker

Kill = Callable[[str], None]


def running(emulator: Emulator) -> str:
    """Add a job that runs for an hour, and return its id."""
    return emulator.jobs.add(model="m", life=Life.by_time(3600)).id


def finishing(emulator: Emulator) -> str:
    """Add a job that finishes after its first DESCRIBE, and return its id."""
    return emulator.jobs.add(model="m", life=Life.by_looks(1)).id


def status(emulator: Emulator) -> Status:
    """Return the status of the only job."""
    ((_job, state),) = emulator.jobs.all()
    return state.status


def reject(emulator: Emulator, *, after: int = 0) -> None:
    """Let Snowflake reject one statement, the one that comes *after* so many others."""
    if after:
        emulator.faults.add("slow", delay=0, requests=after)
    emulator.faults.add(
        "error", code=3001, sqlstate="42501", message="No privilege to cancel.", requests=1
    )


def cancel(worker: Worker, job_id: str) -> Result:
    """Run the operator that cancels a job: its first statement is a DESCRIBE, its second the CANCEL."""
    return worker.run(lambda: CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id))


def test_rejected_while_the_job_runs(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A CANCEL that Snowflake rejects fails the task, without a retry, in Snowflake's words."""
    job_id = running(cortex_emulator)
    reject(cortex_emulator, after=1)
    result = cancel(worker, job_id)
    assert result.state == "failed", result
    assert job_id in str(result.error)
    assert "No privilege to cancel." in str(result.error)
    assert "return_value" not in result.xcoms
    assert status(cortex_emulator) is not Status.CANCELLED


def test_rejected_since_the_job_has_finished(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """It is no failure if the job finished just before: the task returns how the job ended."""
    job_id = finishing(cortex_emulator)
    reject(cortex_emulator, after=1)
    assert cancel(worker, job_id).xcoms == {"return_value": "SUCCESS"}


@pytest.mark.parametrize(("times", "state"), [(1, "success"), (2, "up_for_retry")])
def test_transient_error(
    times: int, state: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A CANCEL that meets a transient error is sent once more; if that fails, too, the task may be retried."""
    job_id = running(cortex_emulator)
    cortex_emulator.faults.add("slow", delay=0, requests=1)
    cortex_emulator.faults.add("error", requests=times)
    assert cancel(worker, job_id).state == state
    assert (status(cortex_emulator) is Status.CANCELLED) is (state == "success")


def kill_on_worker(job_id: str) -> None:
    """Kill a sensor on its worker."""
    CortexFineTuneSensor(task_id="wait", finetune_job_id=job_id, cancel_on_kill=True).on_kill()


def kill_in_triggerer(job_id: str) -> None:
    """Kill a sensor that is deferred."""
    now = time.time()
    trigger = CortexFineTuneTrigger(
        finetune_job_id=job_id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=now,
        deadline=now + 3600,
        cancel_on_kill=True,
    )
    asyncio.run(trigger.on_kill())


KILLS = pytest.mark.parametrize("kill", [kill_on_worker, kill_in_triggerer])


@KILLS
def test_kill_that_is_rejected_while_the_job_runs(
    kill: Kill, connection: str, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A killed task whose CANCEL is rejected logs that the job may run on, and why."""
    job_id = running(cortex_emulator)
    reject(cortex_emulator)
    kill(job_id)
    (line,) = [line for line in log_lines() if f"{job_id} may run on: " in line]
    assert "No privilege to cancel." in line
    assert status(cortex_emulator) is not Status.CANCELLED


@KILLS
def test_kill_that_is_rejected_since_the_job_has_finished(
    kill: Kill, connection: str, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If the job has finished, the log says how."""
    job_id = cortex_emulator.jobs.add(model="m").id
    reject(cortex_emulator)
    kill(job_id)
    told = [line for line in log_lines() if job_id in line]
    assert f"Fine-tuning job {job_id} is over: SUCCESS" in told[-1]
    assert not [line for line in told if "may run on" in line]
