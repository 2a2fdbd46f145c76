"""A table of signals to answer, and the task that answers it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from tests.worker import AIRFLOW_2, SLEEP, Result, Store, Worker

MODEL = "CORTEX_DB.PUBLIC.lights"

TIMED_OUT = "Trigger/execution timeout" if AIRFLOW_2 else "Trigger timeout"
"""Why Airflow ended a deferral, if its timeout has passed."""

IN_BOTH_WAYS = pytest.mark.parametrize(
    "answer", [False, True], indirect=True, ids=["worker", "deferred"]
)

Answer = Callable[..., Result]
Rows = Callable[[str], list[tuple[Any, ...]]]


def operator(**changes: Any) -> CortexCompleteTableOperator:
    """Return a task that answers the signals."""
    arguments: dict[str, Any] = {"task_id": "answer", "model": MODEL, "source": "signals"}
    arguments |= {"destination": "answers", "prompt_column": "body"}
    return CortexCompleteTableOperator(**arguments | changes)


def tables(hook: CortexHook) -> set[str]:
    """Return the names of all tables."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'PUBLIC'"
    return {name for (name,) in hook.get_records(query)}


def prompted(emulator: Emulator) -> int:
    """Return how many statements have prompted a model."""
    return sum("AI_COMPLETE" in query.sql for query in emulator.queries.all())


def cancels(emulator: Emulator) -> int:
    """Return how many statements have cancelled a query."""
    return sum("SYSTEM$CANCEL_QUERY" in statement.sql for statement in emulator.statements)


def fail_after(statements: int, emulator: Emulator, kind: str, *, times: int = 1) -> None:
    """Let one statement, or several, meet a fault: those that come after so many others."""
    if statements:
        emulator.faults.add("slow", delay=0, requests=statements)
    emulator.faults.add(kind, at="statement", requests=times)


def worker_dies(worker: Worker, make: Callable[[], CortexCompleteTableOperator]) -> dict[str, Any]:
    """Run a task on a worker that dies during the wait; return the facts of the next try."""

    def die(_: float) -> None:
        raise KeyboardInterrupt

    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SLEEP, die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(make, **facts)
    return facts


@contextmanager
def dying_before_the_last_statement() -> Iterator[None]:
    """Let a task fail when its answers are in the staging table."""

    def away(*_: Any, **__: Any) -> None:
        raise OSError("the machine died")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_cortex.tasks.table_steps.TableAnswering.finish", away)
        yield
