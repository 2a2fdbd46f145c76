"""
A task that is killed on its worker cancels what it waits for, in the seconds that Airflow leaves it.

Airflow calls ``on_kill`` in the handler of SIGTERM, wherever the task is just then; Airflow 3 sends SIGKILL five
seconds later.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.queries import Status
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.waiting import cancelling
from tests.clock import wait_until
from tests.worker import Worker

FOR_EVER = 3600.0
"""Seconds: no test waits that long."""

QUERY = "SELECT 'red' AS prompt, 'stop' AS completion"


@pytest.fixture
def patient(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a driver that does not give up by itself."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    for name in "login_timeout", "network_timeout":
        del settings["extra"][name]
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))


@contextmanager
def killed(task: Any, when: Callable[[], object]) -> Iterator[threading.Event]:
    """
    Kill a task that runs in this thread once *when* is true, as Airflow 3 does, which lets it go on until SIGKILL.

    Gives what is set when ``on_kill`` has returned.
    """
    over = threading.Event()

    def on_term(*_: object) -> None:
        task.on_kill()
        over.set()

    def kill() -> None:
        wait_until(when)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, on_term)
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield over
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert over.is_set()


def once(condition: Callable[[], object], *, do: Callable[[], object]) -> Callable[[], bool]:
    """Return what says whether *condition* has come about, and does something at that moment."""

    def is_time() -> bool:
        if not condition():
            return False
        do()
        return True

    return is_time


def slow_logins(emulator: Emulator) -> Callable[[], None]:
    """Return what makes every login from then on take for ever."""

    def slow() -> None:
        emulator.login_delay = FOR_EVER

    return slow


def query_looks(emulator: Emulator) -> int:
    """Return how often a statement was looked at."""
    return sum(query.looks for query in emulator.queries.all())


@contextmanager
def then(over: threading.Event, *, do: Callable[[], object]) -> Iterator[None]:
    """Do what lets a task end that has been killed."""

    def act() -> None:
        over.wait()
        do()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


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


def test_between_two_looks(patient: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """The job is cancelled over the session that is open: a login may take longer than Airflow waits."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(FOR_EVER))
    task = wait(job.id)

    with killed(task, once(lambda: cortex_emulator.jobs.looks, do=slow_logins(cortex_emulator))):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"
    assert cortex_emulator.logins == 1


def test_in_the_middle_of_a_look(patient: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """So it is while a statement hangs in that session."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(FOR_EVER))
    task = wait(job.id)
    cortex_emulator.faults.add("hang", at="statement", requests=1)
    with (
        killed(task, lambda: cortex_emulator.faults.struck) as over,
        then(over, do=cortex_emulator.faults.clear),
    ):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"
    assert cortex_emulator.logins == 1


def test_session_that_has_ended(patient: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """If Snowflake has ended the session meanwhile, a new one does it."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(FOR_EVER))
    task = wait(job.id)

    def expire() -> None:
        cortex_emulator.faults.add("expire")

    with killed(task, once(lambda: cortex_emulator.jobs.looks, do=expire)):
        worker.run(lambda: task)
    assert status(cortex_emulator, job.id) == "CANCELLED"


def test_in_the_middle_of_a_login(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is no session, and none to be had in time, the log says so before SIGKILL, and what to do."""
    monkeypatch.setattr(cancelling, "GRACE", 0.2)
    monkeypatch.setattr(cancelling, "MOST_TIME", 0.4)
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(FOR_EVER))
    task = wait(job.id)
    cortex_emulator.faults.add("hang", at="login", seconds=FOR_EVER)

    def end() -> None:
        cortex_emulator.jobs.cancel(job.id)
        cortex_emulator.faults.clear()

    with killed(task, lambda: cortex_emulator.faults.struck) as over, then(over, do=end):
        worker.run(lambda: task)
    lines = [line for line in log_lines() if job.id in line]
    first = next(n for n, line in enumerate(lines) if "is being cancelled" in line)
    assert "may run on" in lines[first + 1]
    assert f"SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job.id}')" in lines[first + 1]


def start(worker: Worker, emulator: Emulator, **facts: Any) -> str:
    """Have a task start a job that runs for long; return its id."""
    emulator.life = Life.by_time(FOR_EVER)
    result = worker.run(
        lambda: CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data=QUERY
        ),
        dag_id="team_a",
        run_id="weekly_1",
        **facts,
    )
    return str(result.xcoms["return_value"])


def test_whose_job_it_is(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The log names the job that is cancelled, and the task that started it, before and after."""
    job_id = start(worker, cortex_emulator)
    looks = cortex_emulator.jobs.looks
    task = wait(job_id)
    with killed(task, lambda: cortex_emulator.jobs.looks > looks + 1):
        worker.run(lambda: task)
    whose = f"{job_id} (started by Airflow task team_a.start weekly_1)"
    lines = [line for line in log_lines() if whose in line]
    assert "is being cancelled" in lines[0]
    assert "is over: CANCELLED" in lines[1]


def test_operator_names_whose_job_it_cancels(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """So does the task that cancels a job, also one that is over already."""
    job_id = start(worker, cortex_emulator, map_index=2)
    for _ in range(2):
        worker.run(lambda: CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id))
    whose = f"{job_id} (started by Airflow task team_a.start weekly_1 map_index=2)"
    lines = [line for line in log_lines() if whose in line]
    assert len(lines) == 3
    assert "Cancelling" in lines[0]
    assert "is over: CANCELLED" in lines[1]
    assert "is over already: CANCELLED" in lines[2]


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


def test_statement(patient: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """A statement that runs by itself is cancelled over the session that is open, too."""
    cortex_emulator.query_life = Life.by_time(FOR_EVER)
    task = answer_table()

    has_looked = partial(query_looks, cortex_emulator)
    with killed(task, once(has_looked, do=slow_logins(cortex_emulator))):
        worker.run(lambda: task)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.ABORTED
    assert cortex_emulator.logins == 1


def test_statement_without_a_session(
    patient: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is no session the log says that the statement may run on, and how to end it."""
    monkeypatch.setattr(cancelling, "GRACE", 0.2)
    monkeypatch.setattr(cancelling, "MOST_TIME", 0.4)
    cortex_emulator.query_life = Life.by_time(FOR_EVER)
    task = answer_table()

    def expire() -> None:
        cortex_emulator.faults.add("expire")
        cortex_emulator.faults.add("hang", at="login", seconds=FOR_EVER)

    def end() -> None:
        cortex_emulator.queries.cancel(cortex_emulator.queries.all()[0].id)
        cortex_emulator.faults.clear()

    has_looked = partial(query_looks, cortex_emulator)
    with killed(task, once(has_looked, do=expire)) as over, then(over, do=end):
        worker.run(lambda: task)
    (query,) = cortex_emulator.queries.all()
    lines = [line for line in log_lines() if query.id in line]
    first = next(n for n, line in enumerate(lines) if "is being cancelled" in line)
    assert "may run on" in lines[first + 1]
    assert f"SELECT SYSTEM$CANCEL_QUERY('{query.id}')" in lines[first + 1]
