"""What OpenLineage's provider gets from a task about its job."""

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import MODES, Worker, in_mode

NAMESPACE = "snowflake://emulator.us-west-1.aws"  # as Airflow's Snowflake provider computes it

RECORD = {
    "status": "SUCCESS",
    "model": "mydb.PUBLIC.triage_1",
    "training_data": "SELECT t.prompt, a.completion FROM tickets t JOIN raw.answers a ON t.id = a.id;",
    "validation_data": 'SELECT * FROM "my db".S.held_out UNION ALL SELECT * FROM tickets',
}


@pytest.fixture
def run(cortex_emulator: Emulator, connection: str, worker: Worker) -> Callable[..., Any]:
    """Return what runs a sensor, and returns the task as Airflow's listeners get it."""

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
    """Return what OpenLineage's provider gets from a task that has ended."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    return DefaultExtractor(task).extract_on_complete(SimpleNamespace(task=task))


@pytest.mark.parametrize("mode", MODES)
def test_lineage_has_the_tables_the_model_and_the_query(
    mode: str, run: Callable[..., Any], cortex_emulator: Emulator
) -> None:
    """Training and validation tables are inputs and the model is the output, in every mode."""
    facets = lineage(run({}, **in_mode(mode)))
    assert [(table.namespace, table.name) for table in facets.inputs] == [
        (NAMESPACE, "CORTEX_DB.PUBLIC.TICKETS"),
        (NAMESPACE, "CORTEX_DB.RAW.ANSWERS"),
        (NAMESPACE, "MY DB.S.HELD_OUT"),
    ]
    (model,) = facets.outputs
    assert (model.namespace, model.name) == (NAMESPACE, "MYDB.PUBLIC.TRIAGE_1")
    assert model.facets["datasetType"].datasetType == "MODEL"
    query = facets.run_facets["externalQuery"]
    assert query.source == NAMESPACE
    assert query.externalQueryId
    training, validation = facets.job_facets["sql"].query.split(";\n")
    assert "raw.answers" in training
    assert "held_out" in validation


def test_names_are_completed_by_the_task_s_database_and_schema(run: Callable[..., Any]) -> None:
    """The task's own database and schema come before the connection's."""
    record = {"model": "m", "validation_data": ""}
    facets = lineage(run(record, database="DB", schema="S"))
    assert sorted(table.name for table in facets.inputs) == ["DB.RAW.ANSWERS", "DB.S.TICKETS"]
    assert [model.name for model in facets.outputs] == ["DB.S.M"]


@pytest.mark.parametrize(
    "query", ["SELECT FROM (((", "", None, "SELECT * FROM @stage/file.jsonl", "SELECT 1 AS prompt"]
)
def test_a_query_without_a_table_gives_no_input(query: str | None, run: Callable[..., Any]) -> None:
    """A query that the parser cannot read, or that reads no table, gives no inputs."""
    facets = lineage(run({"training_data": query, "validation_data": None}))
    assert facets.inputs == []
    assert [model.name for model in facets.outputs] == ["MYDB.PUBLIC.TRIAGE_1"]


def test_a_failed_job_has_inputs_only(run: Callable[..., Any]) -> None:
    """A job that made no model has read its tables."""
    facets = lineage(run({"status": "ERROR", "model": None}))
    assert len(facets.inputs) == 3
    assert facets.outputs == []


def test_a_job_that_still_runs_has_no_lineage(run: Callable[..., Any]) -> None:
    """A sensor that never saw the end of a job returns no lineage."""
    assert lineage(run({"status": "IN_PROGRESS"}, timeout=0)) is None


@pytest.mark.parametrize(
    "lacks", ["airflow.providers.openlineage.extractors", "openlineage.client.facet_v2"]
)
def test_without_openlineage_there_is_no_lineage_and_no_error(
    lacks: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenLineage may not be installed, or not all of it."""
    task = run({})
    monkeypatch.setitem(sys.modules, lacks, None)
    assert task.get_openlineage_facets_on_complete(None) is None


def test_an_error_in_lineage_is_only_logged(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, log_lines: Callable[[], list[str]]
) -> None:
    """An error while lineage is collected is logged, and does not fail the task."""
    task = run({})
    monkeypatch.delenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
    assert task.get_openlineage_facets_on_complete(None) is None
    assert [line for line in log_lines() if "No lineage of fine-tuning job" in line]


def test_a_name_that_cannot_be_completed_is_left_out(
    run: Callable[..., Any], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a schema in the connection, an unqualified name is in no known place."""
    settings = json.loads(cortex_emulator.airflow_connection)
    del settings["schema"]
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    facets = lineage(run({"model": "m"}))
    assert [table.name for table in facets.inputs] == ["CORTEX_DB.RAW.ANSWERS", "MY DB.S.HELD_OUT"]
    assert facets.outputs == []


def test_a_dataset_is_no_table(run: Callable[..., Any], log_lines: Callable[[], list[str]]) -> None:
    """A model for documents has been trained with a dataset, which is no query to parse."""
    data = "snow://dataset/db.s.invoices/versions/v1"
    facets = lineage(run({"training_data": data, "validation_data": data, "model": "@db.s.m"}))
    assert facets.inputs == []
    assert "sql" not in facets.job_facets
    assert [model.name for model in facets.outputs] == ["DB.S.M"]
    assert not any("No lineage" in line for line in log_lines())
