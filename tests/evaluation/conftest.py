"""An account with both models, and the task that compares them."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from tests.account import create_table
from tests.evaluation.lights import GOOD, POOR, TICKETS, Evaluate, operator
from tests.worker import SLEEP, Result, Worker


@pytest.fixture
def account(connection: str, cortex_emulator: Emulator) -> Emulator:
    """Have a model that is always right, one that is right every other time, and data."""
    learned = {
        GOOD: (("red light", "stop"), ("green light", "go")),
        POOR: (("red light", "go"), ("green light", "go")),
    }
    for model, pairs in learned.items():
        cortex_emulator.jobs.add(model=model, pairs=pairs, life=Life.at_once())
    create_table(cortex_emulator, "tickets", TICKETS, "prompt, completion")
    cortex_emulator.query_life = Life.by_looks(1)
    return cortex_emulator


@pytest.fixture
def evaluate(
    request: Any, account: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> Evaluate:
    """Run the operator, without pauses: by default on the worker alone."""
    monkeypatch.setattr(SLEEP, lambda _: None)
    deferrable = getattr(request, "param", False)

    def run(facts: dict[str, Any] | None = None, **changes: Any) -> Result:
        return worker.run(lambda: operator(**{"deferrable": deferrable} | changes), **(facts or {}))

    return run
