"""What OpenLineage is told of a job, as its provider asks a task for it."""

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import MODES, Worker, in_mode

NAMESPACE = "snowflake://emulator.us-west-1.aws"  # what Airflow's Snowflake provider makes of such an account

RECORD = {
    "status": "SUCCESS",
    "model": "mydb.PUBLIC.triage_1",
    "training_data": "SELECT t.prompt, a.completion FROM tickets t JOIN raw.answers a ON t.id = a.id;",
    "validation_data": 'SELECT * FROM "my db".S.held_out UNION ALL SELECT * FROM tickets',
}


@pytest.fixture
def run(cortex_emulator: Emulator, connection: str, worker: Worker) -> Callable[..., Any]:
    """Run a sensor for a job with a record, and return the task as Airflow's listeners find it."""

    def run(record: dict[str, Any], **arguments: Any) -> Any:
        job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
        cortex_emulator.faults.add("record", requests=1)
        cortex_emulator.faults.add("record", set=RECORD | record)
        tasks = []

        def make() -> CortexFineTuneSensor:
            defaults: dict[str, Any] = {"poke_interval": 0.01, "timeout": 60, "deferrable": False}
            tasks.append(
                CortexFineTuneSensor(
                    task_id="wait", finetune_job_id=job.id, **(defaults | arguments)
                )
            )
            return tasks[-1]

        worker.run(make)
        return tasks[-1]

    return run


def lineage(task: CortexFineTuneSensor) -> Any:
    """Return what OpenLineage's provider gets out of a task that has ended."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    return DefaultExtractor(task).extract_on_complete(SimpleNamespace(task=task))


@pytest.mark.parametrize("mode", MODES)
def test_tables_and_model(mode: str, run: Callable[..., Any], cortex_emulator: Emulator) -> None:
    """Training and validation tables go in and the model comes out, in every mode, with the query that told."""
    told = lineage(run({}, **in_mode(mode)))
    assert [(table.namespace, table.name) for table in told.inputs] == [
        (NAMESPACE, "CORTEX_DB.PUBLIC.TICKETS"),
        (NAMESPACE, "CORTEX_DB.RAW.ANSWERS"),
        (NAMESPACE, "MY DB.S.HELD_OUT"),
    ]
    (model,) = told.outputs
    assert (model.namespace, model.name) == (NAMESPACE, "MYDB.PUBLIC.TRIAGE_1")
    assert model.facets["datasetType"].datasetType == "MODEL"
    query = told.run_facets["externalQuery"]
    assert query.source == NAMESPACE
    assert query.externalQueryId
    training, validation = told.job_facets["sql"].query.split(";\n")
    assert "raw.answers" in training
    assert "held_out" in validation


def test_place(run: Callable[..., Any]) -> None:
    """Names are completed from the task's own database and schema, if it has any."""
    record = {"model": "m", "validation_data": ""}
    told = lineage(run(record, database="DB", schema="S"))
    assert sorted(table.name for table in told.inputs) == ["DB.RAW.ANSWERS", "DB.S.TICKETS"]
    assert [model.name for model in told.outputs] == ["DB.S.M"]


@pytest.mark.parametrize(
    "query", ["SELECT FROM (((", "", None, "SELECT * FROM @stage/file.jsonl", "SELECT 1 AS prompt"]
)
def test_queries_that_tell_no_table(query: str | None, run: Callable[..., Any]) -> None:
    """A query that the parser cannot read, or that reads no table, leaves the inputs out."""
    told = lineage(run({"training_data": query, "validation_data": None}))
    assert told.inputs == []
    assert [model.name for model in told.outputs] == ["MYDB.PUBLIC.TRIAGE_1"]


def test_a_job_that_failed(run: Callable[..., Any]) -> None:
    """A job that made no model has read its tables all the same."""
    told = lineage(run({"status": "ERROR", "model": None}))
    assert len(told.inputs) == 3
    assert told.outputs == []


def test_a_wait_without_an_end(run: Callable[..., Any]) -> None:
    """A sensor that never saw the end of a job has nothing to tell."""
    assert lineage(run({"status": "IN_PROGRESS"}, timeout=0)) is None


@pytest.mark.parametrize(
    "lacks", ["airflow.providers.openlineage.extractors", "openlineage.client.facet_v2"]
)
def test_without_openlineage(
    lacks: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where OpenLineage is not installed, or not all of it, there is no lineage and no harm."""
    task = run({})
    monkeypatch.setitem(sys.modules, lacks, None)
    assert task.get_openlineage_facets_on_complete(None) is None


def test_a_connection_that_is_gone(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, log_lines: Callable[[], list[str]]
) -> None:
    """Whatever goes wrong with lineage is told in the log, and is nothing to fail for."""
    task = run({})
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    assert task.get_openlineage_facets_on_complete(None) is None
    assert [line for line in log_lines() if "No lineage of fine-tuning job" in line]


def test_a_connection_that_says_little(
    run: Callable[..., Any], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody can place is left out."""
    settings = json.loads(cortex_emulator.airflow_connection)
    del settings["schema"]
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    told = lineage(run({"model": "m"}))
    assert [table.name for table in told.inputs] == ["CORTEX_DB.RAW.ANSWERS", "MY DB.S.HELD_OUT"]
    assert told.outputs == []
