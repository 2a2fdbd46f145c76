"""A model, a table of signals, and a session."""

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.account import execute
from tests.answer_table.signals import MODEL, Answer, Rows, operator
from tests.worker import SLEEP, Result, Worker


@pytest.fixture
def hook(connection: str) -> Iterator[CortexHook]:
    """Provide a session."""
    with CortexHook(connection) as hook:
        yield hook


@pytest.fixture
def rows(cortex_emulator: Emulator) -> Rows:
    """Return the rows of a query."""
    return lambda sql: execute(cortex_emulator, sql)


@pytest.fixture
def lights(connection: str, cortex_emulator: Emulator) -> None:
    """Create a model, and a table to answer."""
    pairs = (("red", "stop"), ("green", "go"))
    cortex_emulator.jobs.add(model=MODEL, pairs=pairs, life=Life.at_once())
    rows = "(1, 'red'), (2, 'green'), (3, 'it''s 100% red')"
    make = "CREATE TABLE signals (id INT, body TEXT) AS SELECT * FROM (VALUES " + rows + ")"
    execute(cortex_emulator, make)


@pytest.fixture
def answer(
    request: Any,
    lights: None,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> Answer:
    """Run the operator that answers a table, without pauses: by default on the worker alone."""
    deferrable = getattr(request, "param", False)
    monkeypatch.setattr(SLEEP, lambda _: None)
    cortex_emulator.query_life = Life.by_looks(1)

    def run(facts: dict[str, Any] | None = None, **changes: Any) -> Result:
        return worker.run(lambda: operator(**{"deferrable": deferrable} | changes), **(facts or {}))

    return run
