"""The page's application and a signed-in viewer, on Airflow 3.1 and later."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_cortex.airflow_api.compat import HAS_PLUGIN_PAGES
from tests.page.client import signed_in

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
