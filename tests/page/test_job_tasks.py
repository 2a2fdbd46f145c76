"""The tasks of a job, from the XComs that they pushed."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from airflow.api_fastapi.app import get_auth_manager
from starlette.testclient import TestClient

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.page.job_tasks import task_path
from airflow_provider_cortex.tasks.base import JOB_ID
from tests.page.client import detail

Recorder = Callable[..., None]


@pytest.fixture
def record(as_viewer: dict[str, str]) -> Iterator[Recorder]:
    """Return a function that adds task instances with a job's XCom to Airflow's database."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert

    id_type = TaskInstance.id.type.python_type  # str on Airflow 3.1
    tables = [XComModel, TaskInstance, DagRun, DagModel, DagBundleModel]

    def clear() -> None:
        with create_session() as session:
            for table in tables:
                session.execute(delete(table))

    def add(dag_id: str, *tasks: tuple[str, int, str], at: datetime | None = None) -> None:
        at = at or datetime.now(tz=UTC)
        with create_session() as session:
            if session.get(DagBundleModel, "dags") is None:
                session.add(DagBundleModel(name="dags"))
                session.flush()
            session.add(DagModel(dag_id=dag_id, bundle_name="dags"))
            run = DagRun(dag_id=dag_id, run_id="run_1+00:00", run_type="manual", start_date=at)
            session.add(run)
            session.flush()
            for task_id, map_index, job_id in tasks:
                key = {
                    "dag_id": dag_id,
                    "run_id": run.run_id,
                    "task_id": task_id,
                    "map_index": map_index,
                }
                session.execute(
                    insert(TaskInstance).values(
                        **key,
                        id=id_type(str(uuid4())),
                        operator="CortexFineTuneSensor",
                        state="deferred",
                        pool="default_pool",
                        pool_slots=1,
                    )
                )
                session.execute(
                    insert(XComModel).values(
                        **key,
                        dag_run_id=run.id,
                        key=JOB_ID,
                        value=json.dumps(job_id),
                        timestamp=at,
                    )
                )

    clear()
    yield add
    clear()


def test_a_job_has_its_record_and_its_tasks(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """A job has the whole record and the tasks that started or awaited it, with their paths."""
    job = cortex_emulator.jobs.add(model="triage")
    record("weekly", ("train.start", -1, job.id), ("wait", 2, job.id), ("other", -1, "ft_other"))
    record("long ago", ("wait", -1, job.id), at=datetime.now(tz=UTC) - timedelta(days=1))
    answer = detail(browser, job.id)
    assert answer["record"]["training_result"].keys() == {"training_loss", "validation_loss"}
    assert answer["record"]["model"] == "triage"
    assert [(task["task_id"], task["map_index"]) for task in answer["tasks"]] == [
        ("train.start", -1),
        ("wait", 2),
    ]
    assert answer["tasks"][1] == {
        "dag_id": "weekly",
        "run_id": "run_1+00:00",
        "task_id": "wait",
        "map_index": 2,
        "operator": "CortexFineTuneSensor",
        "state": "deferred",
        "path": "dags/weekly/runs/run_1%2B00%3A00/tasks/wait/mapped/2",
    }


def test_the_earliest_tasks_come_first(
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks are in the order of their XComs; above the limit, the newest are left out."""
    monkeypatch.setattr("airflow_provider_cortex.page.job_tasks.MAX_XCOMS", 3)
    job = cortex_emulator.jobs.add(model="triage")
    now = datetime.now(tz=UTC)
    for dag_id, minutes in ("third", 3), ("first", 1), ("fourth", 4), ("second", 2):
        record(dag_id, ("wait", -1, job.id), at=now + timedelta(minutes=minutes))
    dag_ids = [task["dag_id"] for task in detail(browser, job.id)["tasks"]]
    assert dag_ids == ["first", "second", "third"]


def test_tasks_of_unreadable_dags_are_hidden(
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks of a DAG that the viewer may not read are left out."""
    job = cortex_emulator.jobs.add(model="triage")
    record("mine", ("wait", -1, job.id))
    record("theirs", ("wait", -1, job.id))
    manager = type(get_auth_manager())
    monkeypatch.setattr(
        manager, "is_authorized_dag", lambda *_, details=None, **__: details.id == "mine"
    )
    monkeypatch.setattr(manager, "filter_authorized_dag_ids", lambda *_, **__: {"mine"})
    assert [task["dag_id"] for task in detail(browser, job.id)["tasks"]] == ["mine"]


def test_task_paths_are_airflows_with_quoted_names() -> None:
    """A task instance's path is Airflow's own, with every name quoted."""
    assert task_path("d/1", "r 1", "group.t", -1) == "dags/d%2F1/runs/r%201/tasks/group.t"
