"""Answers that an earlier try has paid for are not paid for again."""

from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.tasks.table_steps import TableAnswering
from tests.answer_table.signals import (
    IN_BOTH_WAYS,
    Answer,
    Rows,
    dying_before_the_last_statement,
    fail_after,
    operator,
    prompted,
    tables,
    worker_dies,
)
from tests.worker import Store, Worker


@IN_BOTH_WAYS
def test_a_retry_continues_after_a_failed_last_statement(
    answer: Answer, hook: CortexHook, rows: Rows
) -> None:
    """If the destination cannot be created, the answers are kept, and a retry uses them."""
    count = TableAnswering._count  # noqa: SLF001 - what comes just before

    def taken(answers: TableAnswering) -> Any:
        hook.run("CREATE TABLE IF NOT EXISTS answers (x INT)")
        return count(answers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableAnswering, "_count", taken)
        first = answer()
    assert first.state == "failed"
    assert len(tables(hook)) == 3
    hook.run("DROP TABLE answers")
    assert answer(facts={"again": first}).state == "success"
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


@IN_BOTH_WAYS
def test_a_retry_uses_the_staging_table(
    lights: None, hook: CortexHook, cortex_emulator: Emulator, answer: Answer
) -> None:
    """If an earlier try failed after the answers, a retry uses its staging table."""
    with dying_before_the_last_statement():
        first = answer(facts={"store": None})
    assert first.state == "up_for_retry"
    second = answer(facts={"again": first})
    assert second.xcoms["return_value"]["rows"] == 3
    assert prompted(cortex_emulator) == 1
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


def test_a_retry_continues_with_a_running_statement(
    lights: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """On Airflow 3.3 a retry continues with a statement that is still running."""
    cortex_emulator.query_life = Life.by_looks(3)

    def make() -> CortexCompleteTableOperator:
        return operator(deferrable=True)

    died = Worker()
    died.event = staticmethod(lambda _: {"kind": "of another version"})
    first = died.run(make, store=Store())
    assert first.state == "up_for_retry"
    assert worker.run(make, again=first).state == "success"
    assert prompted(cortex_emulator) == 1


def poking() -> CortexCompleteTableOperator:
    """Return the task, which polls on its worker."""
    return operator(deferrable=False)


@IN_BOTH_WAYS
def test_a_retry_after_a_dead_worker_waits_for_its_statement(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """On Airflow 3.3 the try after a dead worker waits for its statement, and starts no other."""
    cortex_emulator.query_life = Life.by_looks(20)
    facts = worker_dies(worker, poking)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.RUNNING
    result = answer(facts=facts)
    assert result.xcoms["return_value"] == {"rows": 3, "errors": 0, "query_id": query.id}
    assert prompted(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_a_retry_that_cannot_poll_starts_no_other_statement(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """A network error when a retry polls the statement does not start another one."""
    cortex_emulator.query_life = Life.by_looks(20)
    facts = worker_dies(worker, poking)
    (query,) = cortex_emulator.queries.all()
    cortex_emulator.faults.add("reset", at="query", requests=1)
    result = answer(facts=facts)
    assert result.xcoms["return_value"]["query_id"] == query.id
    assert prompted(cortex_emulator) == 1
    assert [fault.kind for fault in cortex_emulator.faults.struck] == ["reset"]


@IN_BOTH_WAYS
def test_a_retry_that_cannot_find_the_staging_table_fails(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """A network error in the search for the staging table fails a retry; the next one succeeds."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = worker_dies(worker, poking)
    cortex_emulator.faults.add("clock", jump=7200.0)
    cortex_emulator.query_life = Life.by_looks(1)
    # Three statements compile the queries.
    fail_after(3, cortex_emulator, "reset")
    failed = answer(facts=facts)
    assert failed.state == "up_for_retry", failed
    assert "could not compile the staging table" in str(failed.error)
    assert answer(facts=facts).state == "success"
    assert prompted(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_a_statement_that_finishes_during_the_search_is_not_repeated(
    answer: Answer, worker: Worker, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that succeeds while a retry searches for it is not paid for again."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = worker_dies(worker, poking)
    poll = SnowflakeConnection.get_query_status

    def late(session: SnowflakeConnection, query_id: str) -> Any:
        cortex_emulator.faults.add("clock", jump=7200.0)
        return poll(session, query_id)

    monkeypatch.setattr(SnowflakeConnection, "get_query_status", late)
    result = answer(facts=facts)
    assert result.state == "success"
    assert prompted(cortex_emulator) == 1


@pytest.mark.parametrize("status", [QueryStatus.FAILED_WITH_ERROR, QueryStatus.ABORTED])
def test_a_retry_after_a_failed_statement_starts_another_one(
    status: QueryStatus, answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """After a statement that failed or was cancelled a retry starts another one."""
    cortex_emulator.query_life = Life.by_time(3600)
    if status is QueryStatus.FAILED_WITH_ERROR:
        fail_after(4, cortex_emulator, "error")  # the one that prompts the model
    facts = worker_dies(worker, poking)
    (query,) = cortex_emulator.queries.all()
    if status is QueryStatus.ABORTED:
        cortex_emulator.queries.cancel(query.id)
    cortex_emulator.faults.add("clock", jump=7200.0)
    cortex_emulator.query_life = Life.by_looks(1)
    result = answer(facts=facts)
    assert result.xcoms["return_value"]["rows"] == 3
    assert [other.status for other in cortex_emulator.queries.all()] == [
        status,
        QueryStatus.SUCCESS,
    ]
