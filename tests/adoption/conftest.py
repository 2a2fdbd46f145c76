"""The operator that starts a job."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.adoption.jobs import REQUEST, Start
from tests.worker import Result, Worker


@pytest.fixture
def start(connection: str, cortex_emulator: Emulator, worker: Worker) -> Start:
    """Run the operator that starts a job of an hour; by default without Airflow 3.3's store."""
    cortex_emulator.life = Life.by_time(3600)

    def run(changes: dict[str, Any] | None = None, **facts: Any) -> Result:
        arguments = REQUEST | (changes or {})
        if "again" not in facts:
            facts.setdefault("store", None)
        return worker.run(lambda: CortexFineTuneOperator(task_id="start", **arguments), **facts)

    return run
