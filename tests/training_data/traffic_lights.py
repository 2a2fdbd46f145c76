"""Data to train on, and the tasks that check it."""

from typing import Any

from airflow_provider_cortex.operators import (
    CortexCheckTrainingDataOperator,
    CortexFineTuneOperator,
)
from tests.worker import Result, Worker

ROWS = (("red", "stop"), ("green", "go"), ("amber", "wait, then look twice"))

TRAIN = "SELECT prompt, completion FROM train"


def check(**changes: Any) -> CortexCheckTrainingDataOperator:
    """Return the operator that checks data."""
    arguments: dict[str, Any] = {"task_id": "check", "training_data": TRAIN}
    return CortexCheckTrainingDataOperator(**arguments | {"base_model": "llama3.1-8b"} | changes)


def query(*rows: str) -> str:
    """Return a query for rows; each is the SQL of its two values."""
    return f"SELECT * FROM VALUES {', '.join(f'({row})' for row in rows)} AS t (prompt, completion)"


def start(worker: Worker, **changes: Any) -> Result:
    """Run the operator that starts a job."""
    arguments: dict[str, Any] = {"task_id": "start", "model": "lights", "training_data": TRAIN}
    arguments |= {"base_model": "llama3.1-8b"} | changes
    return worker.run(lambda: CortexFineTuneOperator(**arguments))
