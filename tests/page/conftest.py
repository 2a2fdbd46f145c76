"""The page's application and a signed-in viewer, on Airflow 3.1 and later."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from airflow_provider_cortex.airflow_api.compat import HAS_PLUGIN_PAGES
from airflow_provider_cortex.tasks.base import JOB_ID
from tests.page.client import Permissions, Recorder, signed_in

if TYPE_CHECKING:  # Airflow before 3.1 has no FastAPI
    from starlette.testclient import TestClient

    from airflow_provider_cortex.page.jobs_cache import JobsCache

collect_ignore_glob = [] if HAS_PLUGIN_PAGES else ["test_*.py"]


@pytest.fixture(scope="session")
def airflow_tables() -> None:
    """Create Airflow's database, once."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    Base.metadata.create_all(settings.engine)


@pytest.fixture
def as_viewer(airflow_tables: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the headers of a user who may view everything."""
    from airflow.api_fastapi.app import init_auth_manager

    monkeypatch.setenv(
        "AIRFLOW__API_AUTH__JWT_SECRET", "no secret, but as long as one has to be" * 2
    )
    init_auth_manager()
    return signed_in("VIEWER")


@pytest.fixture
def browser(connection: str, as_viewer: dict[str, str]) -> "Iterator[TestClient]":
    """Return the browser of a user who may view the page."""
    from starlette.testclient import TestClient

    from airflow_provider_cortex.page.app import create_app

    with TestClient(create_app(), headers=as_viewer) as client:
        yield client


@pytest.fixture
def run() -> "Callable[[Coroutine[Any, Any, None], JobsCache], None]":
    """Return a function that runs a viewer of a cache, and then closes the cache."""

    def run_viewer(viewer: Coroutine[Any, Any, None], cache: "JobsCache") -> None:
        async def run_and_close() -> None:
            try:
                await viewer
            finally:
                await cache.close()

        asyncio.run(run_and_close())

    return run_viewer


@pytest.fixture
def record(as_viewer: dict[str, str]) -> Iterator[Recorder]:
    """Return a function that adds task instances with an XCom to Airflow's database."""
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

    def add(
        dag_id: str,
        *tasks: tuple[str, int, Any],
        at: datetime | None = None,
        key: str = JOB_ID,
        store: Callable[[Any], Any] = json.dumps,
    ) -> None:
        at = at or datetime.now(tz=UTC)
        with create_session() as session:
            if session.get(DagBundleModel, "dags") is None:
                session.add(DagBundleModel(name="dags"))
                session.flush()
            session.add(DagModel(dag_id=dag_id, bundle_name="dags"))
            run = DagRun(dag_id=dag_id, run_id="run_1+00:00", run_type="manual", start_date=at)
            session.add(run)
            session.flush()
            for task_id, map_index, value in tasks:
                identity = {
                    "dag_id": dag_id,
                    "run_id": run.run_id,
                    "task_id": task_id,
                    "map_index": map_index,
                }
                session.execute(
                    insert(TaskInstance).values(
                        **identity,
                        id=id_type(str(uuid4())),
                        operator="CortexFineTuneSensor",
                        state="deferred",
                        pool="default_pool",
                        pool_slots=1,
                    )
                )
                session.execute(
                    insert(XComModel).values(
                        **identity,
                        dag_run_id=run.id,
                        key=key,
                        value=store(value),
                        timestamp=at,
                    )
                )

    clear()
    yield add
    clear()


@pytest.fixture
def allow(as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Permissions:
    """Return a function that lets Airflow's auth manager grant no more than this."""
    from airflow.api_fastapi.app import get_auth_manager

    def allow_only(*dag_ids: str, entities: tuple[Any, ...]) -> None:
        def is_authorized(
            *_: object, access_entity: Any = None, details: Any = None, **__: object
        ) -> bool:
            return access_entity in entities and (details is None or details.id in dag_ids)

        monkeypatch.setattr(type(get_auth_manager()), "is_authorized_dag", is_authorized)

    return allow_only
