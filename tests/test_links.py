"""Links from a task to its query in Snowsight, and to its job on the jobs page."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_provider_cortex.airflow_api.compat import HAS_PLUGIN_PAGES
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.tasks.base import JOB_ID
from airflow_provider_cortex.tasks.links import FineTuneJobLink, SnowflakeQueryLink
from tests.worker import AIRFLOW_2, MODES, Worker, in_mode

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
def test_a_query_s_url_has_organization_and_account_or_region_and_locator(
    account: str | None, url: str | None
) -> None:
    """An account is known by its organization and name, or by its region and locator."""
    assert Namespace(account=account).query_url("01b7") == url


CONNECTIONS: dict[str, tuple[dict[str, str], str | None]] = {
    "organization": ({"account": "myorg-prod"}, "myorg/prod"),
    "locator": ({"account": "xy12345.eu-central-1"}, "eu-central-1/xy12345"),
    "locator and region": (
        {"account": "xy12345", "region": "eu-central-1"},
        "eu-central-1/xy12345",
    ),
    "host": ({"account": "myorg-prod", "host": "myorg-prod.snowflakecomputing.com"}, "myorg/prod"),
    "private link": ({"account": "myorg-acct.privatelink"}, None),
    "private link of a locator": ({"account": "xy12345.eu-central-1.privatelink"}, None),
    "private link of a region": (
        {"account": "xy12345", "region": "eu-central-1.privatelink"},
        None,
    ),
    "private link of a host": (
        {"account": "myorg-prod", "host": "myorg-prod.privatelink.snowflakecomputing.com"},
        None,
    ),
    "host in China": ({"account": "myorg-prod", "host": "myorg-prod.snowflakecomputing.cn"}, None),
    "region in China": ({"account": "xy12345", "region": "cn-northwest-1"}, None),
    "global": ({"account": "xy12345.global"}, None),
    "old names": ({"extra__snowflake__account": "myorg-acct.privatelink"}, None),
}


@pytest.mark.parametrize("which", CONNECTIONS)
def test_a_connection_gives_a_link_only_if_it_says_where_snowsight_is(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task links to Snowsight if its connection names a public account."""
    extra, path = CONNECTIONS[which]
    settings = {"conn_type": "snowflake", "login": "me", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    url = f"https://app.snowflake.com/{path}{HISTORY}" if path else None
    assert CortexHook().query_url("01b7") == url


def start(worker: Worker) -> CortexFineTuneOperator:
    """Run a task that sends a query, and return it."""
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


def test_the_emulator_s_queries_have_no_link(connection: str, worker: Worker) -> None:
    """What the emulator has run is in no query history."""
    link = SnowflakeQueryLink()
    key: Any = None
    assert link.get_link(start(worker), ti_key=key) == ""


def test_a_task_links_to_its_query_when_it_has_ended(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link comes from the operator, on Airflow 2 from its XCom."""
    monkeypatch.setattr(
        "airflow_provider_cortex.airflow_api.snowflake_session.LOOPBACK", frozenset()
    )
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


@pytest.mark.parametrize(
    "account", ["org-acc.privatelink", "xy12345.eu-central-1.privatelink", "xy12345.global"]
)
def test_an_account_with_an_unknown_snowsight_has_no_link(
    account: str,
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A private account has no link, which is no error."""
    monkeypatch.setattr(
        "airflow_provider_cortex.airflow_api.snowflake_session.LOOPBACK", frozenset()
    )
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"]["account"] = account
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    key: Any = SimpleNamespace()
    if AIRFLOW_2:
        monkeypatch.setattr(XCom, "get_value", lambda **_: None)
    assert SnowflakeQueryLink().get_link(start(worker), ti_key=key) == ""


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 asks on the worker only")
@pytest.mark.parametrize("kept", ["https://app.snowflake.com/…", None])
def test_airflow_2_reads_the_link_from_an_xcom(
    kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow 2's webserver knows of the operator only what the DAG file says."""
    monkeypatch.setattr(XCom, "get_value", lambda **_: kept)
    key: Any = SimpleNamespace()
    assert SnowflakeQueryLink().get_link(SimpleNamespace(), ti_key=key) == (kept or "")


def page_of(job_id: str, base: str = "") -> str:
    """Return the URL of a job on the jobs page, if this Airflow has one."""
    return f"{base}/cortex/job?conn_id=snowflake_default&job={job_id}" if HAS_PLUGIN_PAGES else ""


def test_the_task_that_starts_a_job_links_to_it(
    connection: str, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link begins with Airflow's base URL, and the job's id is in an XCom."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team/")
    query = "SELECT 'a' AS prompt, 'b' AS completion"
    tasks: list[CortexFineTuneOperator] = []

    def make() -> CortexFineTuneOperator:
        arguments: Any = {"model": "m", "base_model": "llama3.1-8b", "training_data": query}
        tasks.append(CortexFineTuneOperator(task_id="start", **arguments))
        return tasks[-1]

    result = worker.run(make)
    job_id = result.xcoms["return_value"]
    assert result.xcoms[JOB_ID] == job_id
    key: Any = SimpleNamespace()
    link = FineTuneJobLink().get_link(tasks[-1], ti_key=key)
    assert link == page_of(job_id, "https://airflow.example.com/team")


@pytest.mark.parametrize("mode", MODES)
def test_the_task_that_waits_links_to_its_job(
    mode: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Each process of the task has the link, and the XCom is there during the wait."""
    # In mode poke it really sleeps between two polls.
    life = Life.at_once() if mode == "poke" else Life.by_looks(2)
    job = cortex_emulator.jobs.add(model="m", life=life)
    tasks: list[CortexFineTuneSensor] = []

    def make() -> CortexFineTuneSensor:
        id_in_a_template = f" {job.id}\n"
        arguments: Any = in_mode(mode)
        tasks.append(
            CortexFineTuneSensor(task_id="wait", finetune_job_id=id_in_a_template, **arguments)
        )
        return tasks[-1]

    result = worker.run(make)
    assert result.state == "success"
    assert result.xcoms[JOB_ID] == job.id
    key: Any = SimpleNamespace()
    links = {FineTuneJobLink().get_link(task, ti_key=key) for task in tasks if task.job_url}
    assert links == ({page_of(job.id)} if HAS_PLUGIN_PAGES else set())
    assert (
        any(isinstance(link, FineTuneJobLink) for link in tasks[0].operator_extra_links)
        is HAS_PLUGIN_PAGES
    )


def test_a_task_without_xcoms_pushes_none_for_the_page(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """With do_xcom_push=False there is no XCom for the jobs page either."""
    job = cortex_emulator.jobs.add(model="m")
    result = worker.run(
        lambda: CortexFineTuneSensor(
            task_id="wait", finetune_job_id=job.id, mode="poke", do_xcom_push=False
        )
    )
    assert JOB_ID not in result.xcoms
