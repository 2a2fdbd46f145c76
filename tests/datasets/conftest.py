"""An account with labelled invoices."""

from collections.abc import Callable

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.datasets.invoices import create, label, row, upload
from tests.worker import Result, Worker

Run = Callable[..., Result]


@pytest.fixture
def labelled(connection: str, cortex_emulator: Emulator) -> None:
    """Have three invoices, and a table of what they say."""
    upload(cortex_emulator, range(1, 4))
    label(cortex_emulator, map(row, range(1, 4)))


@pytest.fixture
def run(connection: str, worker: Worker) -> Run:
    """Run the operator that makes a dataset; *again* is an earlier try."""

    def run_with(changes: dict[str, object] | None = None, **facts: object) -> Result:
        return worker.run(lambda: create(**changes or {}), **facts)  # type: ignore[arg-type]

    return run_with
