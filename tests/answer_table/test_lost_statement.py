"""
A statement whose id is lost is not paid for twice: a retry finds it in the query history.

The worker has died after Snowflake accepted the statement, and before its id was stored; or this
Airflow has no store.
"""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.waiting.task_state_store import TaskStateStore
from tests.answer_table.signals import (
    IN_BOTH_WAYS,
    Answer,
    Rows,
    fail_after,
    operator,
    prompted,
    worker_dies,
)
from tests.worker import Store, Worker

BEFORE_THE_SEARCH = 3
"""How many statements compile the queries."""

Die = Callable[[], dict[str, Any]]


def poking() -> CortexCompleteTableOperator:
    """Return the task, which polls on its worker."""
    return operator(deferrable=False)


def searches(emulator: Emulator) -> int:
    """Return how many statements have searched the query history."""
    return sum("QUERY_HISTORY_BY_USER" in statement.sql for statement in emulator.statements)


HOWEVER_LOST = pytest.mark.parametrize(
    "die", ["before its id is stored", "without a store"], indirect=True
)


@pytest.fixture
def die(request: Any, worker: Worker, cortex_emulator: Emulator) -> Die:
    """Let a first try begin the statement, and lose its id; return the facts of the next try."""
    how = getattr(request, "param", "without a store")

    def away(*_: object) -> None:
        raise KeyboardInterrupt

    def run() -> dict[str, Any]:
        facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
        if how == "without a store":
            facts = worker_dies(worker, poking) | {"store": None}
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(TaskStateStore, "write", away)
                with pytest.raises(KeyboardInterrupt):
                    worker.run(poking, **facts)
            assert facts["store"] == {}
        assert searches(cortex_emulator) == 0
        return facts | {"try_number": 2}

    return run


@HOWEVER_LOST
@IN_BOTH_WAYS
def test_a_retry_waits_for_the_statement_whose_id_is_lost(
    answer: Answer, die: Die, cortex_emulator: Emulator, rows: Rows
) -> None:
    """It is found by the name of its staging table, and no other is started."""
    cortex_emulator.query_life = Life.by_looks(5)
    facts = die()
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.RUNNING
    result = answer(facts=facts)
    assert result.xcoms["return_value"] == {"rows": 3, "errors": 0, "query_id": query.id}
    assert result.xcoms["query_id"] == query.id
    assert prompted(cortex_emulator) == 1
    assert rows("SELECT COUNT(*) FROM answers") == [(3,)]


@HOWEVER_LOST
def test_a_retry_uses_what_the_lost_statement_has_answered(
    answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """It may finish before the retry: then its answers are there."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    cortex_emulator.faults.add("clock", jump=7200.0)
    assert answer(facts=facts).xcoms["return_value"]["rows"] == 3
    assert prompted(cortex_emulator) == 1


def test_a_cancelled_lost_statement_is_not_awaited(
    answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """A retry starts another one."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    (query,) = cortex_emulator.queries.all()
    cortex_emulator.queries.cancel(query.id)
    cortex_emulator.query_life = Life.by_looks(1)
    assert answer(facts=facts).xcoms["return_value"]["rows"] == 3
    assert prompted(cortex_emulator) == 2


@pytest.mark.parametrize("changes", [{"run_id": "weekly_2"}, {"map_index": 1}])
def test_the_statement_of_another_task_instance_is_not_awaited(
    changes: dict[str, Any], answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """Its staging table has another name."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    cortex_emulator.query_life = Life.by_looks(1)
    assert answer(facts=facts | changes).state == "success"
    assert searches(cortex_emulator) == 1
    assert prompted(cortex_emulator) == 2


def test_the_statement_of_another_request_is_not_awaited(
    answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """The same task with another source asks for its own answers."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    cortex_emulator.query_life = Life.by_looks(1)
    result = answer(facts=facts, source="SELECT * FROM signals WHERE id = 1")
    assert result.xcoms["return_value"]["rows"] == 1
    assert prompted(cortex_emulator) == 2


def test_a_task_goes_on_if_the_search_is_rejected(
    answer: Answer,
    die: Die,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """A role that may not read the history starts another statement, and the log says why."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    cortex_emulator.query_life = Life.by_looks(1)
    cortex_emulator.faults.add("slow", delay=0, requests=BEFORE_THE_SEARCH)
    cortex_emulator.faults.add("error", code=3001, sqlstate="42501", message="no!", requests=1)
    assert answer(facts=facts).state == "success"
    assert prompted(cortex_emulator) == 2
    (line,) = [line for line in log_lines() if "a statement of an earlier try" in line]
    assert "Cannot find out whether" in line
    assert "no!" in line


def test_a_task_whose_search_fails_starts_nothing(
    answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """A transient error fails the try: the next one finds the statement."""
    cortex_emulator.query_life = Life.by_looks(5)
    facts = die()
    fail_after(BEFORE_THE_SEARCH, cortex_emulator, "reset")
    failed = answer(facts=facts)
    assert failed.state == "up_for_retry"
    assert "search the query history" in str(failed.error)
    assert answer(facts=facts).state == "success"
    assert prompted(cortex_emulator) == 1


def test_a_first_try_does_not_search(answer: Answer, cortex_emulator: Emulator) -> None:
    """Nothing of it can be there, and each search takes a statement."""
    assert answer().state == "success"
    assert searches(cortex_emulator) == 0


def test_a_retry_that_stops_waiting_cancels_the_statement_that_it_has_found(
    answer: Answer, die: Die, cortex_emulator: Emulator
) -> None:
    """It is the task's own, as one that the retry has started."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = die()
    cortex_emulator.faults.add("reset", at="query", seconds=60)
    result = answer(facts=facts, contact_timeout=0)
    assert "Lost contact with query" in str(result.error)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED
