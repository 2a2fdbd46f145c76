"""What has been paid for is not paid for again; a wait ends as for every task."""

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from tests.account import tables
from tests.evaluation.lights import GOOD, IN_BOTH_WAYS, Evaluate, operator, prompted
from tests.worker import SLEEP, Store, Worker


@IN_BOTH_WAYS
@pytest.mark.parametrize("statement", [0, 1], ids=["answers", "scores"])
def test_a_retry_continues_with_the_statement_of_a_dead_worker(
    statement: int, account: Emulator, worker: Worker, evaluate: Evaluate, log_lines: Any
) -> None:
    """On Airflow 3.3 nothing is paid for twice, whichever statement was running."""
    account.query_life = Life.by_looks(20)
    polls = 0

    def die(_: float) -> None:
        nonlocal polls
        polls += 1
        if len(account.queries.all()) > statement:
            raise KeyboardInterrupt

    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SLEEP, die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(lambda: operator(deferrable=False), **facts)
    query = account.queries.all()[-1]
    assert query.status is QueryStatus.RUNNING
    result = evaluate(facts=facts)
    assert any(f"Query {query.id} of an earlier try still runs" in line for line in log_lines())
    assert result.xcoms["winner"] == GOOD
    assert len(account.queries.all()) == 2
    assert prompted(account) == 1


@IN_BOTH_WAYS
def test_a_retry_uses_the_result_of_a_try_that_died_at_its_end(
    account: Emulator, evaluate: Evaluate
) -> None:
    """The worst moment: all is paid for, but Airflow has not stored the XCom yet. Airflow 3.3."""
    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store(), "max_tries": 1}
    first = evaluate(facts=facts, retries=1)
    again = facts | {"try_number": 2}
    second = evaluate(facts=again, retries=1)
    assert second.xcoms["scores"] == first.xcoms["scores"]
    assert second.xcoms["winner"] == GOOD
    assert prompted(account) == 1
    evaluate(facts=again | {"try_number": 3, "max_tries": 3}, retries=1)
    assert prompted(account) == 2, "a task that was cleared evaluates anew"


@IN_BOTH_WAYS
def test_a_retry_finds_the_destination_that_a_try_has_written_before_it_died(
    account: Emulator, evaluate: Evaluate
) -> None:
    """It succeeds, although the table exists by now. Airflow 3.3."""
    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store(), "max_tries": 1}
    for try_number in 1, 2:
        again = facts | {"try_number": try_number}
        result = evaluate(facts=again, retries=1, destination="compared")
        assert result.xcoms["winner"] == GOOD, result
    assert tables(account) == {"TICKETS", "COMPARED"}
    assert prompted(account) == 1


def test_execution_timeout_ends_the_wait_and_the_statement(
    account: Emulator, worker: Worker
) -> None:
    """As for every task; also while it is deferred."""
    account.query_life = Life.by_time(3600)
    result = worker.run(lambda: operator(deferrable=True, execution_timeout=timedelta(minutes=5)))
    assert "execution_timeout has passed" in str(result.error)
    (query,) = account.queries.all()
    assert query.status is QueryStatus.ABORTED
