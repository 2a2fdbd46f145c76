"""The way from a task's page in Airflow to its query in Snowsight."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_provider_cortex.cortex.place import Place
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.links import SnowflakeQueryLink
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.worker import AIRFLOW_2, Worker

HISTORY = "/#/compute/history/queries/01b7/detail"


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ("MyOrg-prod_eu", f"https://app.snowflake.com/myorg/prod_eu{HISTORY}"),
        ("xy12345.eu-central-1", f"https://app.snowflake.com/eu-central-1/xy12345{HISTORY}"),
        ("xy12345", None),
        (None, None),
    ],
)
def test_url(account: str | None, url: str | None) -> None:
    """An account is known by its organization and name, or by its region and locator."""
    assert Place(account=account).query_url("01b7") == url


def start(worker: Worker) -> CortexFineTuneOperator:
    """Run a task with a query, and return it."""
    query = "SELECT 'a' AS prompt, 'b' AS completion"
    tasks: list[CortexFineTuneOperator] = []

    def make() -> CortexFineTuneOperator:
        task = CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data=query
        )
        tasks.append(task)
        return task

    assert worker.run(make).state == "success"
    return tasks[-1]


def test_emulator_has_no_snowsight(connection: str, worker: Worker) -> None:
    """What the emulator has run is in no query history."""
    link = SnowflakeQueryLink()
    key: Any = None
    assert link.get_link(start(worker), ti_key=key) == ""


def test_link(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link is there when the task has ended: from the operator, on Airflow 2 from its XCom."""
    monkeypatch.setattr("airflow_provider_cortex.hooks.LOOPBACK", frozenset())
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"]["account"] = "org-acc"
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    link = SnowflakeQueryLink()
    key: Any = SimpleNamespace()
    task = start(worker)
    url = link.get_link(task, ti_key=key)
    assert url.startswith("https://app.snowflake.com/org/acc/#/compute/history/queries/")
    assert isinstance(task.operator_extra_links[0], SnowflakeQueryLink)
    assert task.operator_extra_links[0].name == "Snowflake query"


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 asks on the worker only")
@pytest.mark.parametrize("kept", ["https://app.snowflake.com/…", None])
def test_link_in_the_webserver(kept: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 2's webserver knows of the operator only what the DAG file says."""
    monkeypatch.setattr(XCom, "get_value", lambda **_: kept)
    key: Any = SimpleNamespace()
    assert SnowflakeQueryLink().get_link(SimpleNamespace(), ti_key=key) == (kept or "")
