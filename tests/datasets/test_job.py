"""A model for documents is trained with the dataset that a task has made."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.datasets.conftest import Run
from tests.datasets.invoices import DATASET, versions
from tests.tasks import sensor
from tests.worker import Result, Store, Worker

pytestmark = pytest.mark.usefixtures("labelled")

MODEL = "@cortex_db.public.read_invoices"

Start = Callable[..., Result]


def fine_tune(**changes: Any) -> CortexFineTuneOperator:
    """Return the operator that starts a job with a dataset."""
    arguments: dict[str, Any] = {"task_id": "start", "model": MODEL, "base_model": "arctic-extract"}
    arguments["training_data"] = f"snow://dataset/{DATASET}/versions/v1"
    return CortexFineTuneOperator(**arguments | changes)


def wait(worker: Worker, started: Result, **facts: Any) -> Result:
    """Run the sensor for the job of a task."""
    return worker.run(lambda: sensor(started.xcoms["return_value"]), **facts)


@pytest.fixture
def start(worker: Worker, connection: str) -> Start:
    """Run the operator that starts a job."""

    def run(changes: dict[str, Any] | None = None, **facts: Any) -> Result:
        return worker.run(lambda: fine_tune(**changes or {}), **facts)

    return run


@pytest.mark.parametrize("mapped", [False, True], ids=["one", "mapped"])
def test_a_dataset_becomes_a_model(
    mapped: bool, run: Run, start: Start, worker: Worker, cortex_emulator: Emulator
) -> None:
    """From the query to the model's name, which has no @; mapped tasks each have their own."""
    cortex_emulator.life = Life.by_looks(2)
    indexes = [0, 1] if mapped else [-1]
    models = []
    for index in indexes:
        facts: dict[str, Any] = {"run_id": "weekly_1", "map_index": index}
        data = run(**facts).xcoms["return_value"]
        options = {"max_epochs": 2}
        job = start({"training_data": data, "validation_data": data, "options": options}, **facts)
        waited = wait(worker, job, **facts)
        assert waited.state == "success", waited
        assert waited.xcoms["finetune_job"]["training_data"] == data
        models.append(waited.xcoms["return_value"])
    assert len(versions(cortex_emulator)) == len(indexes)
    suffixes = ["", "_1"][: len(indexes)]
    assert models == [f"cortex_db.public.read_invoices{suffix}" for suffix in suffixes]


def test_a_model_that_cortex_names_with_an_at_is_found(
    run: Run, start: Start, worker: Worker, cortex_emulator: Emulator
) -> None:
    """How Cortex returns such a name is a guess: it is passed downstream, and found, without it."""
    cortex_emulator.life = Life.at_once()
    run({"version": "v1"})
    cortex_emulator.faults.add("record", set={"model": MODEL})
    first = start(store=Store())
    waited = wait(worker, first)
    assert waited.xcoms["model"] == MODEL.removeprefix("@")
    # A retry looks for the model with SHOW MODELS: without it, it would start another job.
    assert start(again=first).xcoms == first.xcoms
    assert any("SHOW MODELS" in statement.sql for statement in cortex_emulator.statements)


def test_a_version_that_does_not_exist_starts_no_job(
    run: Run, start: Start, cortex_emulator: Emulator
) -> None:
    """Cortex would accept the job, which would fail; the task is not retried."""
    run({"version": "V1"})
    result = start()
    assert result.state == "failed"
    assert str(result.error).startswith(
        f"training_data snow://dataset/{DATASET}/versions/v1 does not exist: the dataset has no"
    )
    assert cortex_emulator.jobs.all() == []
    assert start({"validate": False}).state == "success"


@pytest.mark.parametrize("fault", ["permanent", "transient"])
def test_an_unknown_dataset_is_left_to_cortex(
    fault: str,
    run: Run,
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """If SHOW VERSIONS is rejected, or gets no answer, a warning is logged, and the job starts."""
    if fault == "transient":
        run({"version": "v1"})
        cortex_emulator.faults.add("reset", at="statement", requests=1)
    assert start().state == "success"
    (line,) = [line for line in log_lines() if "Cannot find out whether training_data" in line]
    assert f"{DATASET}/versions/v1 exists: " in line


def test_without_a_store_a_retry_starts_another_job(
    run: Run, start: Start, cortex_emulator: Emulator
) -> None:
    """The address of a version of this run does not prove whose job it is: anyone may train with it."""
    data = {"training_data": run(run_id="weekly_1").xcoms["return_value"]}
    first = start(data, run_id="weekly_1", store=None)
    start(data, again=first)
    assert len(cortex_emulator.jobs.all()) == 2
