"""CortexJobTrigger's arguments, and how Airflow stores and compares them."""

import importlib
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException, Asset

from airflow_provider_cortex.airflow_api import asset_watching
from airflow_provider_cortex.airflow_api.compat import AIRFLOW_VERSION, IS_AIRFLOW_3
from airflow_provider_cortex.cortex.job import TERMINAL
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.triggers import CortexJobTrigger
from airflow_provider_cortex.triggers.finished_jobs import STATUSES
from tests.watchers import State, needs_watchers, store, stored

needs_3_3 = pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="needs Airflow 3.3")

GIVEN: dict[str, Any] = {
    "snowflake_conn_id": "sf",
    "warehouse": "WH",
    "database": "DB",
    "schema": "S",
    "role": "R",
    "authenticator": "oauth",
    "status": ["ERROR", "SUCCESS"],
    "base_model": "llama3.1-8b",
    "model": '"my model"',
    "poke_interval": 300.0,
}


@pytest.mark.skipif(IS_AIRFLOW_3, reason="Airflow 3 has AssetWatcher")
def test_airflow_2_can_import_but_not_make_one() -> None:
    """The message says what it needs."""
    with pytest.raises(AirflowOptionalProviderFeatureException, match="CortexJobTrigger needs"):
        CortexJobTrigger()


@needs_watchers
def test_airflow_3_has_watchers() -> None:
    """AssetWatcher takes only a BaseEventTrigger, under this name."""
    from airflow.sdk import AssetWatcher

    assert AssetWatcher(name="jobs", trigger=CortexJobTrigger()).name == "jobs"
    asset_watching.check_watchers("anything")


@needs_watchers
def test_a_stored_watcher_has_the_same_arguments() -> None:
    """Each argument survives Airflow's database."""
    made = CortexJobTrigger(**GIVEN)
    assert made.serialize()[1] == GIVEN
    assert stored(made).serialize() == made.serialize()


@needs_watchers
def test_only_given_arguments_are_stored() -> None:
    """Releases of Airflow differ in how they compare None with itself."""
    assert CortexJobTrigger().serialize()[1] == {
        "snowflake_conn_id": "snowflake_default",
        "poke_interval": 60.0,
    }


@needs_watchers
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"status": ["SUCCESS", "ERROR"]}, {"status": ("error", "SUCCESS", "ERROR")}),
        ({"status": "success"}, {"status": ["SUCCESS"]}),
        ({"poke_interval": 90}, {"poke_interval": timedelta(seconds=90)}),
    ],
)
def test_the_same_watcher_has_the_same_arguments(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """However it is written: Airflow would replace a trigger whose arguments differ."""
    assert CortexJobTrigger(**one).serialize() == CortexJobTrigger(**other).serialize()


def encode(trigger: CortexJobTrigger) -> Any:
    """Return a watcher as Airflow has it when a DAG file is parsed."""
    try:
        encoders: Any = importlib.import_module("airflow.serialization.encoders")
    except ImportError:  # before Airflow 3.2
        encoders = importlib.import_module("airflow.serialization.serialized_objects")
    names = ("encode_trigger", "_encode_trigger")
    return next(getattr(encoders, name) for name in names if hasattr(encoders, name))(trigger)


@needs_watchers
def test_airflow_finds_the_watcher_again_in_its_database() -> None:
    """Else it would replace the trigger each time that it parses the DAG file."""
    from airflow.models.trigger import Trigger
    from airflow.triggers.base import BaseEventTrigger

    parsed = encode(CortexJobTrigger(**GIVEN))
    row = Trigger(classpath=parsed["classpath"], kwargs=parsed["kwargs"])
    assert BaseEventTrigger.hash(row.classpath, row.kwargs) == BaseEventTrigger.hash(
        parsed["classpath"], parsed["kwargs"]
    )
    assert CortexJobTrigger(**row.kwargs).serialize()[1] == GIVEN


@needs_watchers
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("snowflake_conn_id", None),
        ("snowflake_conn_id", " "),
        ("warehouse", ""),
        ("role", ["R"]),
        ("status", "PENDING"),
        ("status", []),
        ("status", ["SUCCESS", None]),
        ("status", 5),
        ("base_model", ""),
        ("base_model", "a\0b"),
        ("base_model", "{{ params.base_model }}"),
        ("snowflake_conn_id", "{% if prod %}prod{% endif %}"),
        ("model", "my model"),
        ("model", "a.b.c.d"),
        ("poke_interval", 0),
        ("poke_interval", timedelta(0)),
        ("poke_interval", float("nan")),
        ("poke_interval", "soon"),
        ("poke_interval", None),
    ],
)
def test_an_invalid_argument_is_rejected_by_name(argument: str, value: Any) -> None:
    """When the DAG file is parsed."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        CortexJobTrigger(**{argument: value})


@needs_watchers
def test_an_unknown_argument_is_rejected_by_name() -> None:
    """It would change nothing."""
    with pytest.raises(TypeError, match="'deadline'"):
        CortexJobTrigger(deadline=1)  # type: ignore[call-arg]


def test_the_statuses_are_the_terminal_ones() -> None:
    """They are written twice, since a DAG file does not load the jobs' module."""
    assert set(STATUSES) == TERMINAL


def test_before_airflow_3_3_no_asset_has_a_state() -> None:
    """A trigger that no triggerer has prepared has none, either."""
    assert asset_watching.asset_states(object()) == []


def test_each_asset_of_a_trigger_has_a_state() -> None:
    """One trigger may watch several assets."""

    class Prepared:
        asset_state_store = store(State(a=1), State(b=2))

    states: list[Any] = list(asset_watching.asset_states(Prepared()))
    assert states == [{"a": 1}, {"b": 2}]


@needs_3_3
def test_airflow_3_3_has_states_of_assets() -> None:
    """The triggerer gives a trigger this object: see asset_watching.py if its fields change."""
    context: Any = importlib.import_module("airflow.sdk.execution_time.context")
    trigger = CortexJobTrigger()
    assert asset_watching.asset_states(trigger) == []
    assets = [Asset(name=name, uri=f"x://{name}") for name in ("a", "b")]
    trigger.asset_state_store = context.AssetStateStoreAccessors(inlets=assets)
    assert [type(state) for state in asset_watching.asset_states(trigger)] == [
        context.AssetStateStoreAccessor
    ] * 2
