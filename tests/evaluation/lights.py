"""Two models to compare, rows to compare them by, and the task that does it."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.operators import CortexEvaluateOperator
from tests.worker import Result

GOOD = "CORTEX_DB.PUBLIC.GOOD"
"""A model that is always right."""

POOR = "CORTEX_DB.PUBLIC.POOR"
"""A model that is right every other time."""

TICKETS = (
    ("red light", "stop"),
    ("green light", "Go "),
    ("dark green light", "go"),
    ("dark red light", "STOP"),
)
"""Prompts, and the expected answers."""

Evaluate = Callable[..., Result]

IN_BOTH_WAYS = pytest.mark.parametrize(
    "evaluate", [False, True], indirect=True, ids=["worker", "deferred"]
)


def operator(**changes: Any) -> CortexEvaluateOperator:
    """Return a task that compares both models."""
    arguments: dict[str, Any] = {"task_id": "evaluate", "models": [POOR, GOOD], "data": "tickets"}
    arguments |= {"prompt_column": "prompt", "expected_column": "completion"}
    return CortexEvaluateOperator(**arguments | changes)


def prompted(emulator: Emulator) -> int:
    """Return how many statements have asked models for answers."""
    return sum("AI_COMPLETE" in query.sql for query in emulator.queries.all())


def scores(result: Result) -> dict[str, float | None]:
    """Return each model's score."""
    return {one["model"]: one["score"] for one in result.xcoms["scores"]["models"]}
