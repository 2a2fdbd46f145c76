"""The request of a job, and the jobs that an account has."""

from collections.abc import Callable
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from tests.worker import Result

QUERY = "SELECT 'red' AS prompt, 'stop' AS completion"
OTHER = "SELECT 'green' AS prompt, 'go' AS completion"
REQUEST: dict[str, Any] = {
    "model": "lights",
    "base_model": "llama3.1-8b",
    "training_data": QUERY,
    "validation_data": OTHER,
    "options": {"max_epochs": 3},
}
DATASET = "snow://dataset/db.s.tickets/versions/v1"
EXTRACTION: dict[str, Any] = {
    "base_model": "arctic-extract",
    "training_data": DATASET,
    "validation_data": None,
}
"""What a request with a dataset changes."""

Start = Callable[..., Result]


def create(**changes: Any) -> str:
    """Start a job, as another user would."""
    with CortexHook() as hook:
        return hook.create(**REQUEST | changes)


def ids(emulator: Emulator) -> list[str]:
    """Return the ids of all jobs."""
    return [job.id for job, _ in emulator.jobs.all()]


def job_of(result: Result) -> str:
    """Return the job that a task has returned."""
    assert result.state == "success", result
    return str(result.xcoms["return_value"])
