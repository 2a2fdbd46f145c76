"""Limits that training data misses."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.operators import (
    CortexCheckTrainingDataOperator,
)
from tests.tasks import NATIVE, in_dag
from tests.training_data.traffic_lights import TRAIN, check, query
from tests.worker import Result, Worker


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
def test_no_rows_at_all_miss_a_limit(
    argument: str, train: None, run: Callable[..., Result]
) -> None:
    """Data without rows would fail the job."""
    result = run(**{argument: f"{TRAIN} WHERE FALSE"})
    assert result.state == "failed"
    assert f"{argument} has 0 rows, below min_rows = 1" in str(result.error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_rows": 4}, "training_data has 3 rows, below min_rows = 4"),
        ({"max_trained_tokens": 38}, "trained_tokens is 39, above max_trained_tokens = 38"),
        (
            {"max_trained_tokens": 129, "epochs": 10},
            "trained_tokens is 130, above max_trained_tokens = 129",
        ),
        (
            {"max_prompt_tokens": 1, "max_truncated_rows": 0.5},
            "2 of 3 rows are longer than allowed, a share of 0.6667, above max_truncated_rows = 0.5",
        ),
        ({"max_completion_tokens": 5}, "1 of 3 rows are longer than allowed, a share of 0.3333"),
        (
            {"training_data": query("'a', ''", "'a', 'b'")},
            "1 of 2 rows are empty, a share of 0.5, above max_empty_rows = 0",
        ),
        (
            {"training_data": query("'a', 'b'", "'a', 'b'"), "max_duplicate_rows": 0.4},
            "1 of 2 rows are duplicates, a share of 0.5, above max_duplicate_rows = 0.4",
        ),
        (
            {"validation_data": query("'red', 'x'", "'blue', 'y'")},
            "1 of 2 rows have a prompt of training_data, and allow_overlap is False",
        ),
        (
            {"validation_data": query("'blue', NULL")},
            "validation_data: 1 of 1 rows are empty",
        ),
    ],
)
def test_a_missed_limit_fails_the_task_without_a_retry(
    changes: dict[str, Any], message: str, train: None, run: Callable[..., Result]
) -> None:
    """The error names it with its figure; the report is pushed all the same."""
    result = run(**changes)
    assert result.state == "failed"
    assert str(result.error).startswith("The training data misses its limits: ")
    assert message in str(result.error)
    assert "return_value" not in result.xcoms
    (missed,) = result.xcoms["report"]["missed"]
    assert f"{missed['argument']}" in str(result.error)


def test_gate_skip_skips_the_task(train: None, run: Callable[..., Result]) -> None:
    """Then what follows is skipped, too; the report is pushed."""
    result = run(min_rows=4, gate="skip")
    assert result.state == "skipped"
    assert "training_data has 3 rows, below min_rows = 4" in str(result.error)
    assert result.xcoms["report"]["missed"][0]["value"] == 3


def test_limits_that_are_kept_pass(train: None, run: Callable[..., Result]) -> None:
    """A figure may be equal to its limit; overlap may be allowed, and contradictions are."""
    result = run(
        validation_data=query("'red', 'x'", "'red', 'y'"),
        epochs=1,
        max_trained_tokens=13,
        min_rows=3,
        max_prompt_tokens=2,
        max_completion_tokens=6,
        max_duplicate_rows=0,
        allow_overlap=True,
    )
    assert result.state == "success", result
    validation = result.xcoms["return_value"]["validation"]
    assert (validation["overlapping_rows"], validation["contradicting_prompts"]) == (2, 1)


def test_without_xcoms_nothing_is_pushed(train: None, run: Callable[..., Result]) -> None:
    """With do_xcom_push=False a missed limit still fails the task."""
    result = run(min_rows=4, do_xcom_push=False)
    assert (result.state, result.xcoms) == ("failed", {})


@NATIVE
def test_limits_may_be_templates(
    native: bool, train: None, connection: str, worker: Worker
) -> None:
    """They render to text, or to numbers, and are then checked."""

    def make() -> CortexCheckTrainingDataOperator:
        return check(min_rows="{{ rows }}", epochs="{{ epochs }}", max_empty_rows="{{ share }}")

    def run(**values: Any) -> Result:
        return worker.run(lambda: in_dag(make, native=native, **values))

    assert run(rows=3, epochs="2", share="0.5").xcoms["return_value"]["trained_tokens"] == 26
    assert "below min_rows = 4" in str(run(rows="4", epochs=2, share=0).error)
    for values, problem in (
        ({"rows": 2.5, "epochs": 2, "share": 0}, "min_rows must be a whole number, at least 1"),
        ({"rows": 3, "epochs": "", "share": 0}, "epochs must be a whole number"),
        ({"rows": 3, "epochs": 2, "share": 50}, "max_empty_rows must be a share of rows"),
    ):
        result = run(**values)
        assert result.state == "failed"
        assert str(result.error).startswith(problem)
