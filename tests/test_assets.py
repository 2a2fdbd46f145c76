"""The asset events that a new model emits (dataset events on Airflow 2)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import AIRFLOW_2, MODES, Result, Worker, in_mode

TUNED = AssetAlias("tuned-models")
TRIAGE = Asset("snowflake://emulator/CORTEX_DB/PUBLIC/triage")

RECORD = {
    "status": "SUCCESS",
    "base_model": "llama3.1-8b",
    "created_on": 1717004388000,
    "finished_on": 1717004691500,
    "trained_tokens": 2670734,
    "training_result": {"validation_loss": 1.0125, "training_loss": 0.5},
}


@pytest.fixture
def wait(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> Callable[..., tuple[str, Result]]:
    """Return what runs a sensor with outlets; it returns the job's id and the task's result."""

    def run(model: str, outlets: list[Any], **arguments: Any) -> tuple[str, Result]:
        job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
        cortex_emulator.faults.add("record", requests=1)
        fields = arguments.pop("fields", {})
        cortex_emulator.faults.add("record", set=RECORD | {"model": model} | fields)
        defaults: dict[str, Any] = {
            "task_id": "wait",
            "poke_interval": 0.01,
            "timeout": 60,
            "deferrable": False,
        }
        result = worker.run(
            lambda: CortexFineTuneSensor(
                finetune_job_id=job.id, outlets=outlets, **(defaults | arguments)
            )
        )
        return job.id, result

    return run


def alias_events(result: Result) -> list[tuple[str, dict[str, Any]]]:
    """Return the alias's events: URI and extra."""
    accessor = result.instance.outlet_events[TUNED]
    if AIRFLOW_2:
        events = accessor.dataset_alias_events
        return [(event["dest_dataset_uri"], event["extra"]) for event in events]
    return [(event.dest_asset_key.uri, event.extra) for event in accessor.asset_alias_events]


@pytest.mark.parametrize("mode", MODES)
def test_an_alias_emits_an_event_for_the_model_in_every_mode(
    mode: str, wait: Callable[..., tuple[str, Result]]
) -> None:
    """The event's URI is the model's, and its extra says where the model is from."""
    job_id, result = wait("mydb.PUBLIC.triage_1", [TUNED], **in_mode(mode))
    assert result.state == "success"
    assert result.deferrals == (mode == "deferrable")
    extra = {
        "model": "mydb.PUBLIC.triage_1",
        "base_model": "llama3.1-8b",
        "finetune_job_id": job_id,
        "training_loss": 0.5,
        "validation_loss": 1.0125,
        "trained_tokens": 2670734,
        "duration": 303.5,
    }
    assert alias_events(result) == [("snowflake://emulator/mydb/PUBLIC/triage_1", extra)]


def test_an_asset_keeps_its_own_uri(wait: Callable[..., tuple[str, Result]]) -> None:
    """An asset keeps the URI of its author; its event's extra names the model."""
    job_id, result = wait("CORTEX_DB.PUBLIC.triage_1", [TRIAGE, TUNED], deferrable=True)
    extra = result.instance.outlet_events[TRIAGE].extra
    assert (extra["model"], extra["finetune_job_id"]) == ("CORTEX_DB.PUBLIC.triage_1", job_id)
    assert [uri for uri, _ in alias_events(result)] == [
        "snowflake://emulator/CORTEX_DB/PUBLIC/triage_1"
    ]


def test_a_figure_that_was_not_reported_is_null(wait: Callable[..., tuple[str, Result]]) -> None:
    """An unknown figure is null, and the extra is JSON, whatever Cortex returned."""
    fields = {"training_result": "NaN", "trained_tokens": float("nan"), "finished_on": None}
    _, result = wait("m", [TUNED], fields=fields)
    ((_, extra),) = alias_events(result)
    unknown = ("training_loss", "validation_loss", "trained_tokens", "duration")
    assert [extra[name] for name in unknown] == [None] * 4
    assert json.dumps(extra, allow_nan=False)


@pytest.mark.parametrize(
    ("model", "arguments", "uri"),
    [
        ("m", {}, "snowflake://emulator/CORTEX_DB/PUBLIC/m"),
        ("S.m", {"database": "DB"}, "snowflake://emulator/DB/S/m"),
        ('"my db"."s/1"."é"', {}, "snowflake://emulator/my%20db/s%2F1/%C3%A9"),
    ],
)
def test_a_model_s_name_is_completed_to_a_uri(
    model: str, arguments: dict[str, Any], uri: str, wait: Callable[..., tuple[str, Result]]
) -> None:
    """A name is completed by the session's database and schema, to a URI that Airflow accepts."""
    _, result = wait(model, [TUNED], **arguments)
    assert [found for found, _ in alias_events(result)] == [uri]
    assert Asset(uri).uri == uri


@pytest.mark.parametrize(
    ("model", "lacks", "reason"),
    [
        ("m", "database", "names a database"),
        ("m", "schema", "names a schema"),
        ("it's mine", "nothing", "is not a Snowflake identifier"),
    ],
)
def test_a_model_in_an_unknown_place_emits_no_alias_event(
    model: str,
    lacks: str,
    reason: str,
    wait: Callable[..., tuple[str, Result]],
    cortex_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[str]],
) -> None:
    """The log says why; the model is passed downstream all the same."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"].pop(lacks, None)
    settings.pop(lacks, None)
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    _, result = wait(model, [TUNED, TRIAGE])
    assert result.state == "success", result
    assert result.xcoms["model"] == model
    assert alias_events(result) == []
    assert result.instance.outlet_events[TRIAGE].extra["model"] == model
    assert [line for line in log_lines() if "No asset event for model" in line and reason in line]


def test_a_model_that_misses_its_gate_emits_no_event(
    wait: Callable[..., tuple[str, Result]],
) -> None:
    """A model that is not passed downstream emits no event."""
    _, result = wait("m", [TUNED], max_validation_loss=0.1, gate="skip")
    assert result.state == "skipped"
    assert alias_events(result) == []
