"""The limit for the tokens that a new job would train."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.operators import (
    CortexFineTuneOperator,
)
from tests.tasks import in_dag
from tests.training_data.traffic_lights import TRAIN, start
from tests.worker import Worker


@pytest.mark.parametrize(
    ("changes", "estimate"),
    [
        ({}, 39),
        ({"options": {"max_epochs": 2}}, 26),
        ({"options": {"max_epochs": "2"}, "validate": False}, 26),
    ],
)
def test_a_job_that_would_train_too_much_is_not_started(
    changes: dict[str, Any], estimate: int, train: None, worker: Worker, cortex_emulator: Emulator
) -> None:
    """The task fails without a retry; the limit itself is allowed."""
    result = start(worker, max_trained_tokens=estimate - 1, **changes)
    assert result.state == "failed"
    assert str(result.error).startswith(
        f"No job was started: trained_tokens is {estimate}, above max_trained_tokens = "
    )
    assert cortex_emulator.jobs.all() == []
    assert start(worker, max_trained_tokens=str(estimate), **changes).state == "success"


def test_the_estimate_is_what_a_job_trains(
    train: None, worker: Worker, cortex_emulator: Emulator
) -> None:
    """The emulator trains as many tokens as the check counts in the same data."""
    start(worker, options={"max_epochs": 2})
    ((job, _state),) = cortex_emulator.jobs.all()
    model = cortex_emulator.jobs.model(job.model)
    assert model
    assert model.trained_tokens == 26


def test_a_job_of_an_earlier_try_is_not_checked(
    train: None, worker: Worker, cortex_emulator: Emulator
) -> None:
    """It is paid for already; so a limit that it exceeds does not matter."""

    def make(most: int) -> CortexFineTuneOperator:
        return CortexFineTuneOperator(
            task_id="start",
            model="lights",
            base_model="llama3.1-8b",
            training_data=TRAIN,
            max_trained_tokens=most,
        )

    first = worker.run(lambda: make(100))
    again = worker.run(lambda: make(1), again=first)
    assert again.xcoms["return_value"] == first.xcoms["return_value"]


def test_the_limit_needs_data_that_can_be_counted(
    worker: Worker, connection: str, cortex_emulator: Emulator
) -> None:
    """A dataset can be read by Cortex only."""
    data = "snow://dataset/db.schema.ds/versions/v1"
    result = start(worker, training_data=data, base_model="arctic-extract", max_trained_tokens=1e6)
    assert result.state == "failed"
    assert str(result.error).startswith("max_trained_tokens needs training_data that is a query")
    assert cortex_emulator.logins == 0


def test_an_invalid_limit_of_a_job_is_rejected(worker: Worker, connection: str) -> None:
    """A literal when the DAG is parsed, a template when it renders to nothing."""
    with pytest.raises(ValueError, match="max_trained_tokens must be a number"):
        start(worker, max_trained_tokens="many")

    def make() -> CortexFineTuneOperator:
        return CortexFineTuneOperator(
            task_id="start",
            model="lights",
            base_model="llama3.1-8b",
            training_data=TRAIN,
            max_trained_tokens="{{ nothing }}",
        )

    result = worker.run(lambda: in_dag(make, native=True, nothing=None))
    assert result.state == "failed"
    assert str(result.error).startswith("max_trained_tokens must be a number")
