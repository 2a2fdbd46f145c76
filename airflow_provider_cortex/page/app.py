"""
The web application behind the page.

Every route is a GET without side effects, and needs the viewer's Airflow session and the
permission to view plugins. FastAPI would serve a folder of static files and its API documentation
without that check: so the static files are routes, too, and there is no documentation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.airflow_api.settings import (
    jobs_page_conn_ids,
    jobs_page_refresh_seconds,
)
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.page.job_tasks import JobTasks, TasksHiddenError
from airflow_provider_cortex.page.jobs_cache import JobsCache, JobsSnapshot
from airflow_provider_cortex.page.responses import (
    NOT_CACHED,
    MissingPermissionError,
    add_error_handlers,
    json_response,
    redirect,
    response,
)
from airflow_provider_cortex.tasks.links import PAGE_ROUTE

FIRST_POLL_WAIT_SECONDS = 5.0
"""How long a request for an unknown job waits for the account's poll."""

CACHED_FOREVER = "private, max-age=31536000, immutable"
"""For a file whose URL contains the version of its content."""

STATIC = files("airflow_provider_cortex.page").joinpath("static")
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}

User = Annotated[Any, Depends(compat.current_user())]
"""The viewer, as Airflow's API server identifies them."""


def create_app() -> FastAPI:
    """Return the application for the connections in Airflow's configuration."""
    refresh_seconds = jobs_page_refresh_seconds()
    caches = {
        conn_id: JobsCache(conn_id, refresh_seconds=refresh_seconds)
        for conn_id in jobs_page_conn_ids()
    }
    job_tasks = JobTasks()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        job_tasks.close()
        await asyncio.gather(*(cache.close() for cache in caches.values()))

    app = FastAPI(
        dependencies=[Depends(_check_permission)],
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
    )
    add_error_handlers(app)
    _add_page(app)
    _add_api(app, caches, job_tasks, refresh_seconds)
    return app


def _check_permission(user: User) -> None:
    if not compat.may_view_plugins(user):
        raise MissingPermissionError


def _add_page(app: FastAPI) -> None:
    """Add the routes of the HTML page and its static files."""
    static = {file.name: file.read_bytes() for file in STATIC.iterdir()}
    html = static.pop("jobs.html")
    version = sha256(b"".join(static[name] for name in sorted(static))).hexdigest()[:12]

    @app.get("/jobs")
    async def page() -> Response:
        document = html.replace(b"static/", f"static/{version}/".encode())
        answer = response(document, "text/html")
        # The browser loads all modules at once, instead of one import after another.
        for name in static:
            if name.endswith(".js"):
                link = f"<static/{version}/{name}>; rel=modulepreload"
                answer.headers.append("Link", link)
        return answer

    @app.get("/job")
    async def link(request: Request) -> Response:
        # The "Fine-tuning job" of a task: Airflow's interface has no route for a viewer who may not
        # see plugins, and would say that the page does not exist.
        return redirect(f"../plugin/{PAGE_ROUTE}?{request.url.query}")

    @app.get("/static/{requested_version}/{name}")
    async def static_file(requested_version: str, name: str) -> Response:
        if name not in static:
            raise HTTPException(404, f"The page has no file {name}.")
        media_type = MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
        # During an upgrade, another process may have served a page of another version.
        is_current = requested_version == version
        return response(
            static[name], media_type, cache_control=CACHED_FOREVER if is_current else NOT_CACHED
        )


def _add_api(
    app: FastAPI, caches: Mapping[str, JobsCache], job_tasks: JobTasks, refresh_seconds: float
) -> None:
    """Add the routes of the data that the page shows."""

    @app.get("/api/jobs")
    async def jobs(user: User, *, refresh: bool = False) -> Response:
        snapshots, scores = await asyncio.gather(
            asyncio.gather(*(cache.snapshot(is_refresh=refresh) for cache in caches.values())),
            job_tasks.scores_visible_to(user),
        )
        return json_response(
            {
                "now": _milliseconds(time.time()),
                "refresh_seconds": refresh_seconds,
                "accounts": [_account(snapshot) for snapshot in snapshots],
                # As pairs: a model's name as a key could be one that objects have anyway.
                "scores": None if scores is None else list(scores.items()),
            }
        )

    @app.get("/api/job")
    async def job(conn_id: str, job_id: str, user: User) -> Response:
        found = await _find(caches.get(conn_id), job_id)
        if found is None:
            raise HTTPException(404, f"The page has no fine-tuning job {job_id} of {conn_id}.")
        answer: dict[str, Any] = {"tasks": None, "tasks_hidden": None, "evaluations": []}
        try:
            answer["tasks"] = await job_tasks.visible_to(user, found)
            answer["evaluations"] = await job_tasks.evaluations_visible_to(user, found)
        except TasksHiddenError as hidden:
            answer["tasks_hidden"] = str(hidden)
        record = found.to_dict()
        return json_response({"conn_id": conn_id, "id": found.id, "record": record, **answer})


async def _find(cache: JobsCache | None, job_id: str) -> FineTuneJob | None:
    """Return a job. This process may not have polled yet: another one may have served the list."""
    if cache is None:
        return None
    job = cache.latest.find(job_id)
    if job is not None:
        return job
    snapshot = await cache.snapshot(wait_seconds=FIRST_POLL_WAIT_SECONDS)
    job = snapshot.find(job_id)
    if job is None and snapshot.is_loading:
        raise HTTPException(503, "Snowflake has not answered yet.")
    return job


def _account(snapshot: JobsSnapshot) -> dict[str, Any]:
    """Return an account for the page; times are epoch milliseconds."""
    is_missing = snapshot.error is not None and snapshot.error.is_missing
    # A missing connection has a message of its own.
    error = None if is_missing else snapshot.error
    return {
        "conn_id": snapshot.conn_id,
        "as_of": _milliseconds(snapshot.as_of),
        "is_loading": snapshot.is_loading,
        "is_missing": is_missing,
        "is_complete": snapshot.is_complete,
        "error": error and error.sentence,
        "error_details": error and error.details,
        "error_hint": error and error.hint,
        "is_login_rejected": error is not None and error.is_login_rejected,
        "retry_at": _milliseconds(snapshot.retry_at),
        "jobs": snapshot.rows,
    }


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
