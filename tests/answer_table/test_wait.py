"""The wait for the statement that answers a table: errors, timeouts, and a killed task."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import QueryStatus
from airflow_provider_cortex.errors import TriggerEventError
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.triggers import CortexQueryTrigger
from airflow_provider_cortex.waiting import event
from tests.answer_table.signals import (
    IN_BOTH_WAYS,
    TIMED_OUT,
    Answer,
    Rows,
    cancels,
    fail_after,
    operator,
    tables,
)
from tests.worker import SLEEP, Instance, Worker


@IN_BOTH_WAYS
def test_a_failed_statement_may_be_retried(
    answer: Answer, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """A failed statement is reported with its id and Snowflake's message, and may be retried."""
    result = answer(source="SELECT *, CAST(body AS INT) AS number FROM signals")
    assert result.state == "up_for_retry"
    assert f"Query {cortex_emulator.queries.all()[0].id} failed. Snowflake says" in str(
        result.error
    )
    assert tables(hook) == {"SIGNALS"}


@IN_BOTH_WAYS
def test_a_statement_without_the_grants_names_them(
    answer: Answer, cortex_emulator: Emulator
) -> None:
    """A role that may not use Cortex learns it from an asynchronous statement, too."""
    cortex_emulator.has_cortex_user_role = False
    error = str(answer().error)
    assert "Unknown function AI_COMPLETE. Snowflake says this, too, if the role" in error
    assert "SNOWFLAKE.CORTEX_USER" in error


@IN_BOTH_WAYS
def test_a_wait_retries_through_transient_errors(answer: Answer, cortex_emulator: Emulator) -> None:
    """Polls that fail for a while do not end the wait."""
    cortex_emulator.query_life = Life.by_looks(2)
    cortex_emulator.faults.add("reset", at="query", requests=2)
    assert answer().state == "success"


@IN_BOTH_WAYS
def test_lost_contact_fails_the_task_and_cancels_the_statement(
    answer: Answer, cortex_emulator: Emulator
) -> None:
    """If no poll succeeds for contact_timeout, the task fails, and the statement is cancelled."""
    cortex_emulator.query_life = Life.by_time(3600)
    cortex_emulator.faults.add("reset", at="query")
    result = answer(contact_timeout=0)
    assert result.state == "up_for_retry"
    assert "Lost contact with query" in str(result.error)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED


def test_execution_timeout_ends_a_deferred_wait(
    lights: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """execution_timeout ends a deferred wait, on every Airflow, and cancels the statement."""
    cortex_emulator.query_life = Life.by_time(3600)
    result = worker.run(lambda: operator(deferrable=True, execution_timeout=timedelta(minutes=5)))
    assert "execution_timeout has passed" in str(result.error)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED


def test_execution_timeout_ends_a_wait_on_the_worker(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on a worker, where Airflow interrupts a sleep."""
    cortex_emulator.query_life = Life.by_time(3600)

    def strike(delay: float) -> None:
        if delay:
            raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr(SLEEP, strike)
    result = worker.run(lambda: operator(deferrable=False))
    assert isinstance(result.error, AirflowTaskTimeout)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED


@IN_BOTH_WAYS
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["reset", "error"])
def test_a_failed_cancel_does_not_replace_the_error(
    kind: str,
    times: int,
    answer: Answer,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """A failed cancel is retried once, then logged; the task's error is what ended the wait."""
    cortex_emulator.query_life = Life.by_time(3600)
    cortex_emulator.faults.add("reset", at="query")
    # Five statements compile the queries, search for the staging table, and prompt the model.
    fail_after(5, cortex_emulator, kind, times=times)
    result = answer(contact_timeout=0)
    assert result.state == "up_for_retry"
    assert "Lost contact with query" in str(result.error)
    assert cancels(cortex_emulator) == 2
    (query,) = cortex_emulator.queries.all()
    logged = any(f"Query {query.id} may still be running: " in line for line in log_lines())
    # With "reset" Snowflake has run the first one, but its answer was lost.
    assert logged == (times == 2)
    assert (query.status is QueryStatus.ABORTED) == (times == 1 or kind == "reset")


def test_a_statement_is_cancelled_once(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow calls on_kill after execution_timeout, too: the statement is not cancelled again."""
    cortex_emulator.query_life = Life.by_time(3600)

    def strike(_: float) -> None:
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr(SLEEP, strike)
    result = worker.run(lambda: operator(deferrable=False))
    assert isinstance(result.error, AirflowTaskTimeout)
    result.instance.task.on_kill()
    assert cancels(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_a_kill_after_the_statement_has_finished_cancels_nothing(
    answer: Answer, cortex_emulator: Emulator
) -> None:
    """A task that is killed when its statement has finished cancels nothing."""
    result = answer()
    assert result.state == "success"
    result.instance.task.on_kill()
    assert cancels(cortex_emulator) == 0


@pytest.mark.parametrize(
    ("reason", "state"),
    [("Trigger failure", QueryStatus.SUCCESS), (TIMED_OUT, QueryStatus.ABORTED)],
)
def test_without_a_trigger_the_worker_waits_or_cancels(
    reason: str,
    state: QueryStatus,
    lights: None,
    cortex_emulator: Emulator,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a crashed trigger the worker waits; after a timeout the statement is cancelled."""
    monkeypatch.setattr(SLEEP, lambda _: None)
    cortex_emulator.query_life = Life.by_looks(3)
    task = operator(deferrable=True)
    context: Any = {"ti": Instance(task), "task": task}
    with pytest.raises(TaskDeferred):
        task.execute(context)
    gone = {"error": reason, "traceback": ["RuntimeError: bug\n"]}
    if state is QueryStatus.SUCCESS:
        assert task.resume_execution("__fail__", gone, context)["rows"] == 3
    else:
        with pytest.raises(AirflowTaskTimeout, match="Stopped waiting for query"):
            task.resume_execution("__fail__", gone, context)
    assert cortex_emulator.queries.all()[0].status is state


def test_a_task_killed_on_its_worker_cancels_its_statement(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is killed on its worker cancels its statement."""
    cortex_emulator.query_life = Life.by_time(3600)
    tasks: list[CortexCompleteTableOperator] = []

    def make() -> CortexCompleteTableOperator:
        tasks.append(operator(destination="a"))
        return tasks[-1]

    def killed(_: float) -> None:
        if cortex_emulator.queries.all():
            tasks[-1].on_kill()  # as Airflow does on SIGTERM
            raise KeyboardInterrupt

    monkeypatch.setattr(SLEEP, killed)
    with pytest.raises(KeyboardInterrupt):
        worker.run(make)
    (query,) = cortex_emulator.queries.all()
    assert query.status is QueryStatus.ABORTED


def test_a_task_killed_while_deferred_cancels_its_statement(
    hook: CortexHook, lights: None, cortex_emulator: Emulator
) -> None:
    """The same while it is deferred, where Airflow calls the trigger."""
    cortex_emulator.query_life = Life.by_time(3600)
    query_id = hook.submit(Call("SELECT 1", ()), about="wait")
    trigger = CortexQueryTrigger(
        query_id=query_id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=time.time(),
        deadline=None,
        poke_interval=30,
    )
    asyncio.run(trigger.on_kill())
    assert cortex_emulator.queries.all()[0].status is QueryStatus.ABORTED


@pytest.mark.parametrize(
    "payload", [None, {}, {"kind": "query_finished"}, {"kind": "finished", "job": "{}"}]
)
def test_an_unknown_event_is_never_a_success(payload: object) -> None:
    """An event that this package did not write is an error."""
    with pytest.raises(TriggerEventError, match="result of the query is unknown"):
        event.read_execution(payload)
