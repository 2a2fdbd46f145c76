"""
What the page's browser asks for.

Every route is a GET that changes nothing, and wants the viewer's Airflow session and the permission to see
plugins: so all of it is routes, and there is neither a folder of static files nor a page of documentation, which would
be served to anybody.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.concurrency import run_in_threadpool

from airflow_provider_cortex.airflow_api.settings import (
    jobs_page_conn_ids,
    jobs_page_refresh_seconds,
)
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.page.account_jobs import AccountJobs, AccountView
from airflow_provider_cortex.page.job_tasks import tasks_of

PATIENCE = 5.0
"""Seconds for which the answer about a job waits for Snowflake, if nothing is known of it."""

FRESH = "no-store"
NOT_RETRIED = "private, max-age=31536000, immutable"
"""For a file whose address tells which version of it there is."""

ASSETS = files("airflow_provider_cortex.page").joinpath("static")
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}

HEADERS = {
    # Nothing but what is served here is loaded or run, whatever Cortex may have sent.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app() -> FastAPI:
    """Return the page's application, for the connections that Airflow's configuration names."""
    refresh_seconds = jobs_page_refresh_seconds()
    accounts = {
        conn_id: AccountJobs(conn_id, refresh_seconds=refresh_seconds)
        for conn_id in jobs_page_conn_ids()
    }
    assets = {file.name: file.read_bytes() for file in ASSETS.iterdir()}
    html = assets.pop("jobs.html")
    version = sha256(b"".join(assets[name] for name in sorted(assets))).hexdigest()[:12]
    modules = [name for name in assets if name.endswith(".js")]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(account.close() for account in accounts.values()))

    app = FastAPI(
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
        lifespan=lifespan,
        openapi_url=None,
    )

    @app.get("/jobs")
    async def page() -> Response:
        response = _response(html.replace(b"assets/", f"assets/{version}/".encode()), "text/html")
        for name in modules:  # rather than have the browser find out one from the other
            link = f"<assets/{version}/{name}>; rel=modulepreload"
            response.headers.append("Link", link)
        return response

    @app.get("/assets/{of_version}/{name}")
    async def asset(of_version: str, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404, f"The page has no {name}.")
        media_type = MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
        # While Airflow is being upgraded, the page may have come from another process.
        keep = NOT_RETRIED if of_version == version else FRESH
        return _response(assets[name], media_type, keep=keep)

    @app.get("/api/jobs")
    async def jobs() -> Response:
        views = await asyncio.gather(*(account.view() for account in accounts.values()))
        now = {"now": round(time.time() * 1000), "refresh_seconds": refresh_seconds}
        return _json(now, "accounts", f"[{', '.join(map(_told, views))}]")

    @app.get("/api/job")
    async def job(conn_id: str, job_id: str, user: GetUserDep) -> Response:
        found = await _find(accounts.get(conn_id), job_id)
        if found is None:
            raise HTTPException(404, f"No fine-tuning job {job_id} is known of {conn_id}.")
        tasks = await run_in_threadpool(_tasks, found, user)
        record = {"conn_id": conn_id, "id": found.id, "record": found.to_dict()}
        return _json(record, "tasks", json.dumps(tasks))

    return app


async def _find(account: AccountJobs | None, job_id: str) -> FineTuneJob | None:
    """Return a job; Snowflake may have to be asked for it, if another process was asked for the list."""
    if account is None:
        return None
    found = account.known.find(job_id)
    if found is not None:
        return found
    view = await account.view(patience=PATIENCE)
    found = view.find(job_id)
    if found is None and view.is_loading:
        raise HTTPException(503, "Snowflake is being asked, and has not answered yet.")
    return found


def _tasks(job: FineTuneJob, user: BaseUser) -> list[dict[str, Any]]:
    dag_ids = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return tasks_of(job, dag_ids=dag_ids)


def _told(view: AccountView) -> str:
    """Return what the browser is told of an account, as JSON; moments are epoch milliseconds."""
    head = {
        "conn_id": view.conn_id,
        "as_of": None if view.as_of is None else round(view.as_of * 1000),
        "is_loading": view.is_loading,
        "is_missing": view.is_missing,
        "is_complete": view.is_complete,
        "error": view.error,
    }
    return _with(head, "jobs", view.rows)


def _with(content: Mapping[str, Any], name: str, text: str) -> str:
    """Return an object as JSON, whose last value is written already."""
    return f"{json.dumps(content)[:-1]}, {json.dumps(name)}: {text}}}"


def _json(content: Mapping[str, Any], name: str, text: str) -> Response:
    return _response(_with(content, name, text), "application/json")


def _response(content: str | bytes, media_type: str, *, keep: str = FRESH) -> Response:
    return Response(content, media_type=media_type, headers=HEADERS | {"Cache-Control": keep})
