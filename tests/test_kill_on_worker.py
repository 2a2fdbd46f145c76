"""
A task that is killed on its worker cancels what it waits for, in the seconds before SIGKILL.

Airflow calls ``on_kill`` in the handler of SIGTERM, whatever the task does at that moment.
Airflow 3 sends SIGKILL five seconds later.
"""

import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.waiting import cancelling
from tests.kill import killed, then
from tests.worker import Worker

NEVER = 3600.0
"""Seconds: no test waits that long."""

QUERY = "SELECT 'red' AS prompt, 'stop' AS completion"


@pytest.fixture
def patient(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a driver without timeouts of its own."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    for name in "login_timeout", "network_timeout":
        del settings["extra"][name]
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))


def once(condition: Callable[[], object], *, do: Callable[[], object]) -> Callable[[], bool]:
    """Return a condition that also does something at the moment when it becomes true."""

    def is_true() -> bool:
        if not condition():
            return False
        do()
        return True

    return is_true


def no_time_to_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a killed task warn, and then give up, before a hanging Snowflake could answer."""
    monkeypatch.setattr(cancelling, "SIGKILL_WARNING_SECONDS", 0.2)
    monkeypatch.setattr(cancelling, "KILLED_TASK_TIMEOUT_SECONDS", 0.4)


def slow_logins(emulator: Emulator) -> Callable[[], None]:
    """Return a function after which no login is answered."""

    def slow() -> None:
        emulator.login_delay = NEVER

    return slow


def query_polls(emulator: Emulator) -> int:
    """Return how many times a statement has been polled."""
    return sum(query.looks for query in emulator.queries.all())


def status(emulator: Emulator, job_id: str) -> str:
    (found,) = [state.status for job, state in emulator.jobs.all() if job.id == job_id]
    return str(found)


def wait(job_id: str) -> CortexFineTuneSensor:
    return CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=job_id,
        deferrable=False,
        poke_interval=0.05,
        cancel_on_kill=True,
    )


def test_a_kill_between_two_polls_cancels_over_the_open_session(
    patient: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The job is cancelled over the open session: a login may take longer than Airflow waits."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(NEVER))
    task = wait(job.id)

    with killed(task, once(lambda: cortex_emulator.jobs.looks, do=slow_logins(cortex_emulator))):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"
    assert cortex_emulator.logins == 1


def test_a_kill_during_a_poll_cancels_over_the_open_session(
    patient: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The same while a statement hangs in that session."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(NEVER))
    task = wait(job.id)
    cortex_emulator.faults.add("hang", at="statement", requests=1)
    with (
        killed(task, lambda: cortex_emulator.faults.struck) as done,
        then(done, do=cortex_emulator.faults.clear),
    ):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"
    assert cortex_emulator.logins == 1


def test_a_kill_cancels_in_a_new_session_if_the_open_one_has_ended(
    patient: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """If Snowflake has ended the open session, the job is cancelled in a new one."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(NEVER))
    task = wait(job.id)

    def expire() -> None:
        cortex_emulator.faults.add("expire")

    with killed(task, once(lambda: cortex_emulator.jobs.looks, do=expire)):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"


def test_a_kill_during_a_login_logs_how_to_cancel_by_hand(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a session in time, the log says before SIGKILL how to cancel the job by hand."""
    no_time_to_cancel(monkeypatch)
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(NEVER))
    task = wait(job.id)
    cortex_emulator.faults.add("hang", at="login", seconds=NEVER)

    def end() -> None:
        cortex_emulator.jobs.cancel(job.id)
        cortex_emulator.faults.clear()

    with killed(task, lambda: cortex_emulator.faults.struck) as done, then(done, do=end):
        worker.run(lambda: task)
    lines = [line for line in log_lines() if job.id in line]
    first = next(n for n, line in enumerate(lines) if "The task was killed: cancelling" in line)
    assert "may still be running: Snowflake has not answered" in lines[first + 1]
    assert f"SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job.id}')" in lines[first + 1]


def start(worker: Worker, emulator: Emulator, **facts: Any) -> str:
    """Have a task start a job that runs for a long time; return its id."""
    emulator.life = Life.by_time(NEVER)
    result = worker.run(
        lambda: CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data=QUERY
        ),
        dag_id="team_a",
        run_id="weekly_1",
        **facts,
    )
    return str(result.xcoms["return_value"])


def test_a_kill_logs_whose_job_it_cancels(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The log names the job that is cancelled, and the task that started it, before and after."""
    job_id = start(worker, cortex_emulator)
    polls = cortex_emulator.jobs.looks
    task = wait(job_id)
    with killed(task, lambda: cortex_emulator.jobs.looks > polls + 1):
        worker.run(lambda: task)
    owned = f"{job_id} (started by Airflow task team_a.start weekly_1)"
    lines = [line for line in log_lines() if owned in line]
    assert "The task was killed: cancelling" in lines[0]
    assert "has finished: CANCELLED" in lines[1]


def test_the_operator_logs_whose_job_it_cancels(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """So does the operator that cancels a job, also for one that has finished."""
    job_id = start(worker, cortex_emulator, map_index=2)
    for _ in range(2):
        worker.run(lambda: CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id))
    owned = f"{job_id} (started by Airflow task team_a.start weekly_1 map_index=2)"
    lines = [line for line in log_lines() if owned in line]
    assert len(lines) == 3
    assert "Cancelling" in lines[0]
    assert "has finished: CANCELLED" in lines[1]
    assert "has already finished: CANCELLED" in lines[2]


def answer_table() -> CortexCompleteTableOperator:
    return CortexCompleteTableOperator(
        task_id="answer",
        model="mistral-7b",
        source="SELECT 'red' AS body",
        destination="answers",
        prompt_column="body",
        deferrable=False,
        poke_interval=0.05,
    )


def test_a_kill_cancels_a_statement_over_the_open_session(
    patient: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A statement that runs without a session is cancelled over the open one, too."""
    cortex_emulator.query_life = Life.by_time(NEVER)
    task = answer_table()

    has_polled = partial(query_polls, cortex_emulator)
    with killed(task, once(has_polled, do=slow_logins(cortex_emulator))):
        worker.run(lambda: task)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED
    assert cortex_emulator.logins == 1


def test_a_kill_without_a_session_logs_how_to_cancel_the_statement(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a session the log says that the statement may still be running, and how to end it."""
    no_time_to_cancel(monkeypatch)
    cortex_emulator.query_life = Life.by_time(NEVER)
    task = answer_table()

    def expire() -> None:
        cortex_emulator.faults.add("expire")
        cortex_emulator.faults.add("hang", at="login", seconds=NEVER)

    def end() -> None:
        cortex_emulator.queries.cancel(cortex_emulator.queries.all()[0].id)
        cortex_emulator.faults.clear()

    has_polled = partial(query_polls, cortex_emulator)
    with killed(task, once(has_polled, do=expire)) as done, then(done, do=end):
        worker.run(lambda: task)
    (query,) = cortex_emulator.queries.all()
    lines = [line for line in log_lines() if query.id in line]
    first = next(n for n, line in enumerate(lines) if "The task was killed: cancelling" in line)
    assert "may still be running: Snowflake has not answered" in lines[first + 1]
    assert f"SELECT SYSTEM$CANCEL_QUERY('{query.id}')" in lines[first + 1]
