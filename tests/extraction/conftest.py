"""An account with invoices on a stage, and the tasks that read them."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.extraction.invoices import MODEL, Extract, operator, put, rows, table_operator
from tests.worker import SLEEP, Result, Worker


@pytest.fixture
def stage(connection: str, cortex_emulator: Emulator) -> Emulator:
    """Have a stage without files."""
    cortex_emulator.life = Life.at_once()
    cortex_emulator.query_life = Life.by_looks(1)
    with CortexHook(connection) as hook:
        hook.run("CREATE STAGE docs DIRECTORY = (ENABLE = TRUE)")
    return cortex_emulator


@pytest.fixture
def account(stage: Emulator, connection: str, tmp_path: Path) -> Emulator:
    """Have a model that was tuned with some invoices, and others to read."""
    with CortexHook(connection) as hook:
        put(hook, tmp_path / "old", range(6), "old")
        put(hook, tmp_path / "new", range(10, 14), "new")
        hook.run("CREATE DATASET invoices")
        hook.run(f"ALTER DATASET invoices ADD VERSION 'v1' FROM ({rows(range(6), 'old')})")
        data = "snow://dataset/CORTEX_DB.PUBLIC.INVOICES/versions/v1"
        assert hook.describe(hook.create(MODEL, "arctic-extract", data)).status == "SUCCESS"
    return stage


@pytest.fixture
def extract(stage: Emulator, worker: Worker) -> Extract:
    """Run the operator for files."""
    return lambda **changes: worker.run(lambda: operator(**changes))


@pytest.fixture
def table(
    request: Any, stage: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> Extract:
    """Run the operator for a directory, without pauses: by default on the worker alone."""
    monkeypatch.setattr(SLEEP, lambda _: None)
    deferrable = getattr(request, "param", False)

    def run(facts: dict[str, Any] | None = None, **changes: Any) -> Result:
        make = {"deferrable": deferrable} | changes
        return worker.run(lambda: table_operator(**make), **(facts or {}))

    return run
