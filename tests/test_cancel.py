"""A job is cancelled: by the operator, and by a sensor that is killed."""

import asyncio
import time
from collections.abc import Callable

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.tracked_job import JobStatus
from airflow_provider_cortex.operators.fine_tune import CANCEL_CHECKS
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from airflow_provider_cortex.waiting import cancelling
from tests import tasks
from tests.worker import Result, Worker

Kill = Callable[[str], None]


def running(emulator: Emulator) -> str:
    """Add a job that runs for an hour, and return its id."""
    return emulator.jobs.add(model="m", life=Life.by_time(3600)).id


def finishing(emulator: Emulator) -> str:
    """Add a job that finishes after its first DESCRIBE, and return its id."""
    return emulator.jobs.add(model="m", life=Life.by_looks(1)).id


def status(emulator: Emulator) -> JobStatus:
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


def cancel(worker: Worker, job_id: str, *, fail_if_over: bool = False) -> Result:
    """Run the operator that cancels a job: its statements are DESCRIBE, CANCEL, and DESCRIBE."""
    return worker.run(lambda: tasks.cancel(job_id, fail_if_over=fail_if_over))


# --- The operator ------------------------------------------------------------------------------


def test_the_operator_returns_the_status_after_the_cancel(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The job is cancelled, and its new status is the XCom and in the log."""
    job_id = running(cortex_emulator)
    assert cancel(worker, f" {job_id}\n").xcoms == {"return_value": "CANCELLED"}
    assert any(f"{job_id} has finished: CANCELLED" in line for line in log_lines())


@pytest.mark.parametrize("fail_if_over", [False, True])
def test_a_finished_job_is_left_as_it_is(
    fail_if_over: bool, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A finished job is not cancelled; it fails the task only with fail_if_over."""
    job_id = running(cortex_emulator)
    cortex_emulator.jobs.fail(job_id)
    result = cancel(worker, job_id, fail_if_over=fail_if_over)
    if fail_if_over:
        assert result.state == "failed"
        assert f"Cannot cancel fine-tuning job {job_id}: it has finished (ERROR" in str(
            result.error
        )
    else:
        assert result.xcoms == {"return_value": "ERROR"}
    assert not [s for s in cortex_emulator.statements if "'CANCEL'" in s.sql]


@pytest.mark.parametrize("polls", [2, 100])
def test_the_operator_checks_whether_the_cancel_takes_effect(
    polls: int,
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[str]],
) -> None:
    """It checks several times; without effect it logs a warning, and returns the status."""
    monkeypatch.setattr(cancelling, "CHECK_INTERVAL_SECONDS", 0)
    job_id = running(cortex_emulator)
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, requests=polls)
    expected = "CANCELLED" if polls <= CANCEL_CHECKS else "IN_PROGRESS"
    assert cancel(worker, job_id).xcoms == {"return_value": expected}
    warning = f"Cancelling fine-tuning job {job_id} has not taken effect yet: IN_PROGRESS"
    assert any(warning in line for line in log_lines()) is (expected == "IN_PROGRESS")


def test_an_unknown_job_is_not_retried(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """An unknown job fails without a retry, and an id that renders to nothing by its name."""
    assert cancel(worker, "ft_none").state == "failed"
    assert "finetune_job_id" in str(cancel(worker, "None").error)


# --- A CANCEL that fails: it counts as done only if the job has finished all the same ------------


def test_a_cancel_that_is_rejected_while_the_job_runs_fails_the_task(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A CANCEL that Snowflake rejects fails the task, without a retry, with Snowflake's message."""
    job_id = running(cortex_emulator)
    reject(cortex_emulator, after=1)
    result = cancel(worker, job_id)
    assert result.state == "failed", result
    assert job_id in str(result.error)
    assert "No privilege to cancel." in str(result.error)
    assert "return_value" not in result.xcoms
    assert status(cortex_emulator) is not JobStatus.CANCELLED


def test_a_cancel_that_is_rejected_since_the_job_has_finished_is_no_failure(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """If the job finished just before, the task returns how it ended."""
    job_id = finishing(cortex_emulator)
    reject(cortex_emulator, after=1)
    assert cancel(worker, job_id).xcoms == {"return_value": "SUCCESS"}


@pytest.mark.parametrize(("times", "state"), [(1, "success"), (2, "up_for_retry")])
def test_a_cancel_is_sent_again_after_a_transient_error(
    times: int, state: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """After a transient error CANCEL is sent once more; then the task may be retried."""
    job_id = running(cortex_emulator)
    cortex_emulator.faults.add("slow", delay=0, requests=1)
    cortex_emulator.faults.add("error", requests=times)
    assert cancel(worker, job_id).state == state
    assert (status(cortex_emulator) is JobStatus.CANCELLED) is (state == "success")


# --- A killed sensor -----------------------------------------------------------------------------


def kill_on_worker(job_id: str) -> None:
    """Kill a sensor on its worker."""
    tasks.sensor(job_id, cancel_on_kill=True).on_kill()


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
def test_a_kill_logs_that_its_cancel_was_rejected(
    kill: Kill, connection: str, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A killed task whose CANCEL is rejected logs that the job may still be running, and why."""
    job_id = running(cortex_emulator)
    reject(cortex_emulator)
    kill(job_id)
    (line,) = [line for line in log_lines() if f"{job_id} may still be running: " in line]
    assert "No privilege to cancel." in line
    assert status(cortex_emulator) is not JobStatus.CANCELLED


@KILLS
def test_a_kill_logs_how_a_finished_job_ended(
    kill: Kill, connection: str, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If CANCEL is rejected since the job has finished, the log says how it ended."""
    job_id = cortex_emulator.jobs.add(model="m").id
    reject(cortex_emulator)
    kill(job_id)
    lines = [line for line in log_lines() if job_id in line]
    assert f"Fine-tuning job {job_id} has finished: SUCCESS" in lines[-1]
    assert not [line for line in lines if "may still be running" in line]
