"""A task that is killed before its job or its statement begins starts nothing that is paid for."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.hooks import CortexHook
from tests.answer_table.signals import (
    dying_before_the_last_statement,
    prompted,
    tables,
    worker_dies,
)
from tests.kill import killed_in_statement
from tests.tasks import complete_table, fine_tune
from tests.worker import Result, Store, Worker


def poking(**changes: Any) -> Any:
    """Return the task that answers a table, and polls on its worker."""
    return complete_table(deferrable=False, poke_interval=0.01, **changes)


def assert_retried(result: Result) -> None:
    """Check that the task ended because of the kill, so that Airflow may retry it."""
    assert result.state == "up_for_retry"
    assert "was killed" in str(result.error)


@pytest.mark.parametrize("try_number", [1, 2], ids=["compile", "search"])
def test_a_task_that_is_killed_before_create_starts_no_job(
    try_number: int, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """While its queries are compiled, or while it searches for the job of an earlier try."""
    task = fine_tune(validate=try_number == 1)
    with killed_in_statement(task, cortex_emulator):
        result = worker.run(lambda: task, try_number=try_number, store=None)
    assert cortex_emulator.jobs.all() == []
    assert_retried(result)


def test_a_task_that_is_killed_during_create_keeps_its_job(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Cortex has accepted the job: a retry, or the cleared task, has to find it."""
    store = Store()
    task = fine_tune(validate=False)
    with killed_in_statement(task, cortex_emulator):
        worker.run(lambda: task, store=store)
    ((job, _state),) = cortex_emulator.jobs.all()
    assert list(store.values()) == [job.id]


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_task_that_is_killed_before_its_statement_starts_none(
    number: int, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """While it checks its arguments, or looks for the answers of an earlier try."""
    task = poking()
    with killed_in_statement(task, cortex_emulator, number=number):
        result = worker.run(lambda: task)
    assert prompted(cortex_emulator) == 0
    assert_retried(result)


def test_a_statement_that_begins_during_a_kill_is_cancelled(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """When the task was killed, it did not know the statement's id yet."""
    cortex_emulator.query_life = Life.by_time(3600)
    task = poking()
    with killed_in_statement(task, cortex_emulator, number=5):
        result = worker.run(lambda: task)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED
    assert_retried(result)


def test_a_retry_that_is_killed_before_it_waits_cancels_its_statement(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """An earlier try has begun the statement, and its worker died."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = worker_dies(worker, poking)
    task = poking()
    with killed_in_statement(task, cortex_emulator):
        result = worker.run(lambda: task, **facts)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED
    assert_retried(result)


def test_a_killed_task_leaves_paid_answers_to_the_next_try(
    years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """It does not write the destination: the next try does, and pays for nothing."""
    with dying_before_the_last_statement():
        first = worker.run(poking)
    task = poking()
    with killed_in_statement(task, cortex_emulator):
        second = worker.run(lambda: task, again=first)
    assert_retried(second)
    with CortexHook() as hook:
        assert "ANSWERS" not in tables(hook)
    assert worker.run(poking, again=second).state == "success"
    assert prompted(cortex_emulator) == 1
