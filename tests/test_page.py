"""The jobs page inside Airflow: what it tells, whom, and what that costs."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_cortex.cortex.job import jobs
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import UnreadableAnswerError
from airflow_provider_cortex.tasks.base import JOB_ID
from airflow_provider_cortex.tasks.links import HAS_PAGE

if not HAS_PAGE:
    pytest.skip("Airflow before 3.1 shows no pages of plugins", allow_module_level=True)

from airflow.api_fastapi.app import get_auth_manager, init_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from airflow_provider_cortex.page.account_jobs import LONGEST_PAUSE, AccountJobs
from airflow_provider_cortex.page.app import create_app
from airflow_provider_cortex.page.job_tasks import path
from airflow_provider_cortex.page.plugin import CortexPlugin
from tests.clock import Clock

SHOW = "FINETUNE('SHOW'"
DESCRIBE = "FINETUNE('DESCRIBE'"


@pytest.fixture(scope="module")
def airflow_tables() -> None:
    """Make Airflow's database, once."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    Base.metadata.create_all(settings.engine)


@pytest.fixture
def as_viewer(airflow_tables: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the browser of somebody sends who may see all that there is."""
    monkeypatch.setenv(
        "AIRFLOW__API_AUTH__JWT_SECRET", "no secret, but as long as one has to be" * 2
    )
    init_auth_manager()
    return signed_in("VIEWER")


def signed_in(role: str | None) -> dict[str, str]:
    """Return what the browser of somebody with this role sends."""
    user = SimpleAuthManagerUser(username="ann", role=role)
    return {"Cookie": f"_token={get_auth_manager().generate_jwt(user)}"}


@pytest.fixture
def browser(connection: str, as_viewer: dict[str, str]) -> Iterator[TestClient]:
    """Return a browser of somebody who may see the page."""
    with TestClient(create_app(), headers=as_viewer) as client:
        yield client


def accounts(browser: TestClient) -> list[dict[str, Any]]:
    """Return what the page is told, once Snowflake has answered."""
    for _ in range(200):
        told = browser.get("/api/jobs").raise_for_status().json()["accounts"]
        if not any(account["is_loading"] for account in told):
            return list(told)
    pytest.fail("Snowflake did not answer")


def asked(emulator: Emulator, what: str) -> int:
    """Return in how many statements the emulator was asked this."""
    return sum(what in statement.sql for statement in emulator.statements)


def test_jobs(browser: TestClient, cortex_emulator: Emulator) -> None:
    """The page has the account's jobs, the newest first, with all that DESCRIBE tells."""
    done = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.life = Life.by_looks(4)
    runs = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.jobs.describe(runs.id)
    (account,) = accounts(browser)
    assert (account["conn_id"], account["error"], account["is_missing"]) == (
        "snowflake_default",
        None,
        False,
    )
    assert abs(account["as_of"] / 1000 - time.time()) < 30
    jobs = {job["id"]: job for job in account["jobs"]}
    assert jobs[runs.id]["status"] == "IN_PROGRESS"
    assert jobs[runs.id]["progress"] == 0.25
    assert jobs[done.id]["model"] == "triage"
    assert jobs[done.id]["is_finished"]
    assert {job["base_model"] for job in jobs.values()} == {"llama3.1-8b"}


def test_500_jobs(browser: TestClient, cortex_emulator: Emulator) -> None:
    """Five hundred jobs take one SHOW and three DESCRIBEs, and only those that run another one."""
    for number in range(499):
        cortex_emulator.jobs.add(model=f"model {number}")
    cortex_emulator.life = Life.by_looks(100)
    cortex_emulator.jobs.add(model="runs")
    (account,) = accounts(browser)
    assert len(account["jobs"]) == 500
    assert all(job["progress"] is not None for job in account["jobs"])
    assert (asked(cortex_emulator, SHOW), asked(cortex_emulator, DESCRIBE)) == (1, 3)


async def look_again(account: AccountJobs, clock: Clock) -> Any:
    """Return what is known once what was known has become old."""
    clock.now += 3600
    return await account.view(patience=60)


def test_what_is_over_is_not_asked_for_again(
    connection: str, cortex_emulator: Emulator, run: Callable[..., Any]
) -> None:
    """A look at an account in which nothing runs is one SHOW; where something runs, one DESCRIBE more."""
    for number in range(300):
        cortex_emulator.jobs.add(model=f"model {number}")
    clock = Clock()
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)

    async def watch() -> None:
        await account.view(patience=60)
        before = len(cortex_emulator.statements)
        await look_again(account, clock)
        assert len(cortex_emulator.statements) == before + 1
        cortex_emulator.life = Life.by_looks(10)
        job = cortex_emulator.jobs.add(model="runs")
        view = await look_again(account, clock)
        assert view.jobs[0].id == job.id
        assert (await look_again(account, clock)).jobs[0].progress == 0.1
        assert len(cortex_emulator.statements) == before + 5

    run(watch(), account)


def test_ten_watchers_cost_what_one_does(browser: TestClient, cortex_emulator: Emulator) -> None:
    """However many people watch, Snowflake is asked once, until that is old."""
    cortex_emulator.jobs.add(model="triage")
    for _ in range(10):
        accounts(browser)
    assert len(cortex_emulator.statements) == 2
    assert cortex_emulator.logins == 1


@pytest.fixture
def run() -> Callable[..., Any]:
    """Run what watches an account, and have it end its session."""

    def begin(work: Coroutine[Any, Any, None], account: AccountJobs) -> None:
        async def watch() -> None:
            try:
                await work
            finally:
                await account.close()

        asyncio.run(watch())

    return begin


def test_snowflake_that_does_not_answer_holds_nobody_up(
    connection: str, cortex_emulator: Emulator, run: Callable[..., Any]
) -> None:
    """Who looks while Snowflake is being asked is told what was known before, and that news is on its way."""
    job = cortex_emulator.jobs.add(model="triage")
    clock = Clock()
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)

    async def watch() -> None:
        first = await account.view(patience=60)
        assert not first.is_loading
        cortex_emulator.statement_delay = 0.5
        clock.now += 15
        began = time.monotonic()
        views = [await account.view(patience=0.001) for _ in range(10)]
        assert time.monotonic() - began < 0.4
        assert all(view.is_loading for view in views)
        assert {view.jobs[0].id for view in views} == {job.id}
        later = await account.view(patience=60)
        assert (later.is_loading, later.as_of) == (False, clock.now)
        assert asked(cortex_emulator, SHOW) == 2

    run(watch(), account)


def test_connection_that_fails(
    browser: TestClient,
    as_viewer: dict[str, str],
    cortex_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An account that cannot be asked tells why, and the others are there."""
    job = cortex_emulator.jobs.add(model="triage")
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"] |= {"port": 1, "login_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps(settings))
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS", "broken, snowflake_default,nowhere,")
    with TestClient(create_app(), headers=as_viewer) as client:
        broken, good, missing = accounts(client)
    assert "with connection 'broken'" in broken["error"]
    assert (broken["jobs"], broken["as_of"]) == ([], None)
    assert [known["id"] for known in good["jobs"]] == [job.id]
    assert (missing["conn_id"], missing["is_missing"], missing["error"]) == ("nowhere", True, None)


def test_no_connection_is_named(as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any connection to look through, the page is there, and asks nobody."""
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS", " ")
    with TestClient(create_app(), headers=as_viewer) as client:
        assert accounts(client) == []


def test_trouble_keeps_what_was_known(
    connection: str, cortex_emulator: Emulator, run: Callable[..., Any]
) -> None:
    """A look that fails leaves the jobs of the one before, and when that was; the next good one clears it."""
    cortex_emulator.jobs.add(model="triage")
    clock = Clock()
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)

    async def watch() -> None:
        first = await account.view(patience=60)
        cortex_emulator.has_cortex_user_role = False
        failed = await look_again(account, clock)
        assert (failed.jobs, failed.as_of) == (first.jobs, first.as_of)
        assert "Unknown" in failed.error
        cortex_emulator.has_cortex_user_role = True
        again = await look_again(account, clock)
        assert (again.error, again.as_of) == (None, clock.now)

    run(watch(), account)


def test_user_who_is_turned_down_is_not_locked_out(
    connection: str, cortex_emulator: Emulator, run: Callable[..., Any]
) -> None:
    """A login that Snowflake refuses is tried seldom, and ever more so, however many people watch."""
    cortex_emulator.password = "another"
    clock = Clock()
    began = clock.now
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)
    tries = []

    async def watch() -> None:
        while clock.now < began + 180 * 60:
            refused = cortex_emulator.refused_logins
            view = await account.view(patience=60)
            assert "Snowflake is not asked again for" in str(view.error)
            tries.extend([(clock.now - began) / 60] * (cortex_emulator.refused_logins - refused))
            clock.now += 15

    run(watch(), account)
    assert tries == [0, 15, 45, 105, 165]


def test_trouble_that_passes_is_soon_over(
    connection: str, cortex_emulator: Emulator, run: Callable[..., Any]
) -> None:
    """However long there was trouble, two minutes after it the page knows that it is over."""
    job = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.jobs.crash(job.id)
    clock = Clock()
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)

    async def watch() -> None:
        for _ in range(10):
            before = len(cortex_emulator.statements)
            view = await account.view(patience=60)
            assert view.error
            assert len(cortex_emulator.statements) > before
            clock.now += LONGEST_PAUSE
        cortex_emulator.jobs.resume(job.id)
        view = await account.view(patience=60)
        assert (view.error, len(view.jobs)) == (None, 1)

    run(watch(), account)


def test_jobs_that_take_too_long_to_describe_are_there(
    connection: str,
    cortex_emulator: Emulator,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A statement that nobody answers hides no job, and has fewer in it the next time."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "8")
    chokes = [cortex_emulator.jobs.add(model="triage") for _ in range(8)][3]
    cortex_emulator.jobs.crash(chokes.id)
    clock = Clock()
    account = AccountJobs(connection, refresh_seconds=15, clock=clock.time)

    async def watch() -> None:
        view = await account.view(patience=60)
        assert len(view.jobs) == 8
        assert (view.as_of, view.is_complete) == (clock.now, False)
        assert "could not describe" in str(view.error)
        for _ in range(8):
            view = await look_again(account, clock)
        described = {job.id for job in view.jobs if job.model}
        assert described == {job.id for job in view.jobs} - {chokes.id}

    run(watch(), account)


def test_another_process_may_have_been_asked(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """Who opens a job is told of it by a process of the api-server that nobody has asked for the list yet."""
    job = cortex_emulator.jobs.add(model="triage")
    assert detail(browser, job.id)["record"]["model"] == "triage"


@pytest.mark.parametrize("seconds", ["fifteen", "inf", "nan"])
def test_wrong_setting_is_no_reason_not_to_start(
    seconds: str, as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Airflow starts without the page if that cannot be made, and its log says why."""
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_REFRESH_SECONDS", seconds)
    assert CortexPlugin().fastapi_apps == []
    assert "jobs_page_refresh_seconds" in caplog.text


def test_entry_that_is_no_job_hides_no_other(connection: str, cortex_emulator: Emulator) -> None:
    """What SHOW lists and nobody can read is left out of the overview; who must not miss a job is told."""
    job = cortex_emulator.jobs.add(model="triage")
    answer = f'[{{"id": "{job.id}", "status": "SUCCESS"}}, {{"id": "ft_2", "status": null}}, 3]'
    assert [known.id for known in jobs(answer, skip_unreadable=True)] == [job.id]
    with pytest.raises(UnreadableAnswerError):
        jobs(answer)


def test_every_route_wants_a_session(browser: TestClient) -> None:
    """Whoever is not signed in, or may not see plugins, gets nothing at all; and nothing is changed by looking."""
    app = browser.app
    routes = app.routes  # type: ignore[attr-defined]
    assert len(routes) == 4
    for route in routes:
        assert isinstance(route, APIRoute)
        assert route.methods == {"GET"}
        url = script_of(browser) if "{name}" in route.path else route.path
        query = "?conn_id=snowflake_default&job_id=ft_1" if "job_id" in str(route.dependant) else ""
        anonymous = TestClient(app).get(url + query)
        assert anonymous.status_code == 401, url
        nobody = TestClient(app, headers=signed_in(None)).get(url + query)
        assert nobody.status_code == 403, url
        forged = TestClient(app, headers={"Cookie": "_token=forged"}).get(url + query)
        assert forged.status_code in {401, 403}, url
        assert browser.get(url + query).status_code == (404 if query else 200), url


def script_of(browser: TestClient) -> str:
    """Return where the page's script is."""
    (script,) = re.findall(r'<script type="module" src="([^"]*)">', browser.get("/jobs").text)
    return f"/{script}"


def test_new_version_of_the_script_is_not_missed(browser: TestClient) -> None:
    """Browsers keep the page's files for good, by an address that changes with them; nothing else is kept."""
    script = browser.get(script_of(browser))
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in script.headers["Cache-Control"]
    assert browser.get("/assets/another/nothing.js").status_code == 404
    for url in ("/jobs", "/api/jobs", "/assets/another/page.js"):
        assert browser.get(url).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "url", ["/", "/docs", "/redoc", "/openapi.json", "/assets/", "/assets/../app.py"]
)
def test_nothing_else_is_served(url: str, browser: TestClient) -> None:
    """There is no documentation of the routes, and no file but the page's own."""
    assert browser.get(url).status_code == 404


def test_browser_is_told_to_load_nothing_else(browser: TestClient) -> None:
    """Whatever gets onto the page, nothing is loaded from elsewhere, and no script runs that is not served here."""
    page = browser.get("/jobs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in page.text.replace("<!doctype html>", "")


Recorder = Callable[..., None]


@pytest.fixture
def record(as_viewer: dict[str, str]) -> Iterator[Recorder]:
    """Have task instances record jobs, as operator and sensor do; they are gone at the end."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert

    as_it_is_kept = TaskInstance.id.type.python_type  # text on Airflow 3.1
    tables = [XComModel, TaskInstance, DagRun, DagModel, DagBundleModel]

    def clear() -> None:
        with create_session() as session:
            for table in tables:
                session.execute(delete(table))

    def enter(dag_id: str, *records: tuple[str, int, str], at: datetime | None = None) -> None:
        at = at or datetime.now(tz=UTC)
        with create_session() as session:
            if session.get(DagBundleModel, "dags") is None:
                session.add(DagBundleModel(name="dags"))
                session.flush()
            session.add(DagModel(dag_id=dag_id, bundle_name="dags"))
            run = DagRun(dag_id=dag_id, run_id="run_1+00:00", run_type="manual", start_date=at)
            session.add(run)
            session.flush()
            for task_id, map_index, job_id in records:
                which = {
                    "dag_id": dag_id,
                    "run_id": run.run_id,
                    "task_id": task_id,
                    "map_index": map_index,
                }
                session.execute(
                    insert(TaskInstance).values(
                        **which,
                        id=as_it_is_kept(str(uuid4())),
                        operator="CortexFineTuneSensor",
                        state="deferred",
                        pool="default_pool",
                        pool_slots=1,
                    )
                )
                session.execute(
                    insert(XComModel).values(
                        **which,
                        dag_run_id=run.id,
                        key=JOB_ID,
                        value=json.dumps(job_id),
                        timestamp=at,
                    )
                )

    clear()
    yield enter
    clear()


def detail(browser: TestClient, job_id: str) -> dict[str, Any]:
    """Return what the page is told of one job."""
    query = {"conn_id": "snowflake_default", "job_id": job_id}
    told: dict[str, Any] = browser.get("/api/job", params=query).raise_for_status().json()
    return told


def test_job_with_its_tasks(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """A job tells all that DESCRIBE does, and which tasks have started or waited for it, with the way there."""
    job = cortex_emulator.jobs.add(model="triage")
    record("weekly", ("train.start", -1, job.id), ("wait", 2, job.id), ("other", -1, "ft_other"))
    record("long ago", ("wait", -1, job.id), at=datetime.now(tz=UTC) - timedelta(days=1))
    accounts(browser)
    told = detail(browser, job.id)
    assert told["record"]["training_result"].keys() == {"training_loss", "validation_loss"}
    assert told["record"]["model"] == "triage"
    assert [(task["task_id"], task["map_index"]) for task in told["tasks"]] == [
        ("train.start", -1),
        ("wait", 2),
    ]
    assert told["tasks"][1] == {
        "dag_id": "weekly",
        "run_id": "run_1+00:00",
        "task_id": "wait",
        "map_index": 2,
        "operator": "CortexFineTuneSensor",
        "state": "deferred",
        "path": "dags/weekly/runs/run_1%2B00%3A00/tasks/wait/mapped/2",
    }


def test_more_records_than_are_looked_through(
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks come in the order in which they recorded the job; if there are too many, the newest are left out."""
    monkeypatch.setattr("airflow_provider_cortex.page.job_tasks.MOST", 3)
    job = cortex_emulator.jobs.add(model="triage")
    now = datetime.now(tz=UTC)
    for dag_id, minutes in ("third", 3), ("first", 1), ("fourth", 4), ("second", 2):
        record(dag_id, ("wait", -1, job.id), at=now + timedelta(minutes=minutes))
    accounts(browser)
    dag_ids = [task["dag_id"] for task in detail(browser, job.id)["tasks"]]
    assert dag_ids == ["first", "second", "third"]


def test_tasks_of_dags_that_one_may_not_see(
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a DAG that the viewer may not read, nothing is told."""
    job = cortex_emulator.jobs.add(model="triage")
    record("mine", ("wait", -1, job.id))
    record("theirs", ("wait", -1, job.id))
    accounts(browser)
    manager = type(get_auth_manager())
    monkeypatch.setattr(
        manager, "is_authorized_dag", lambda *_, details=None, **__: details.id == "mine"
    )
    monkeypatch.setattr(manager, "filter_authorized_dag_ids", lambda *_, **__: {"mine"})
    assert [task["dag_id"] for task in detail(browser, job.id)["tasks"]] == ["mine"]


@pytest.mark.parametrize("conn_id", ["snowflake_default", "snowflake_other"])
def test_job_that_is_not_there(conn_id: str, browser: TestClient) -> None:
    """A job, or a connection, that the page does not look at is not found; the answer names both."""
    accounts(browser)
    answer = browser.get("/api/job", params={"conn_id": conn_id, "job_id": "ft_1"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"No fine-tuning job ft_1 is known of {conn_id}."


def test_job_while_snowflake_has_not_answered(
    browser: TestClient, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job counts as missing before Snowflake has said so: until then the page is to ask again."""
    monkeypatch.setattr("airflow_provider_cortex.page.app.PATIENCE", 0.01)
    job = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.faults.add("hang", at="statement")
    query = {"conn_id": "snowflake_default", "job_id": job.id}
    answer = browser.get("/api/job", params=query)
    assert answer.status_code == 503
    assert "has not answered yet" in answer.json()["detail"]
    cortex_emulator.faults.clear()
    accounts(browser)
    assert browser.get("/api/job", params=query).status_code == 200


def test_path() -> None:
    """A task instance's address is Airflow's own, with every name quoted."""
    assert path("d/1", "r 1", "group.t", -1) == "dags/d%2F1/runs/r%201/tasks/group.t"


def test_plugin() -> None:
    """Airflow gets one page and one application, made when it is asked for and only once."""
    plugin: Any = CortexPlugin()
    (view,) = plugin.external_views
    (app,) = plugin.fastapi_apps
    assert plugin.fastapi_apps[0]["app"] is app["app"]
    assert f"/{view['href']}".startswith(f"{app['url_prefix']}/")
    assert SimpleNamespace(**view).category == "browse"
