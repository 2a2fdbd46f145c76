"""The page's answers: all of them, also those about errors, have the same security headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from http.client import FORBIDDEN, INTERNAL_SERVER_ERROR, UNAUTHORIZED, UNPROCESSABLE_ENTITY
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as RouterError

from airflow_provider_cortex.airflow_api.settings import base_url
from airflow_provider_cortex.tasks.links import PAGE_ROUTE

NOT_CACHED = "no-store"

HEADERS = {
    # The browser loads and runs only what this application serves, whatever Cortex sent.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

SESSION_ENDED = "Your Airflow session has ended. Log in again."
PAGE_FAILED = "The page failed: the API server's log has the error."


class MissingPermissionError(HTTPException):
    """A viewer may not see the page."""

    def __init__(self) -> None:
        super().__init__(
            FORBIDDEN,
            "You may not see the fine-tuning jobs: you lack the permission to view Airflow's plugins."
            ' With FAB\'s roles it is "can read on Plugins", which Op and Admin have; with the'
            " SimpleAuthManager every role has it.",
        )


def response(
    content: str | bytes,
    media_type: str,
    *,
    status: int = 200,
    cache_control: str = NOT_CACHED,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer with the security headers."""
    all_headers = {**(headers or {}), **HEADERS, "Cache-Control": cache_control}
    return Response(content, status, all_headers, media_type)


def json_response(content: Mapping[str, Any], *, status: int = 200) -> Response:
    """Return an answer in JSON."""
    # FastAPI's JSONResponse fails on lone surrogates, which Cortex's JSON may contain.
    return response(json.dumps(content), "application/json", status=status)


def redirect(path: str) -> Response:
    """Send the browser to another path, relative to the requested one."""
    return response(b"", "text/plain", status=307, headers={"Location": path})


def add_error_handlers(app: FastAPI) -> None:
    """Have the application answer every error itself."""

    @app.exception_handler(RouterError)
    async def known_error(request: Request, error: RouterError) -> Response:
        # Airflow's own 403 is about a session that it cannot read.
        is_ours = isinstance(error, MissingPermissionError)
        if error.status_code in {UNAUTHORIZED, FORBIDDEN} and not is_ours:
            return _error(request, UNAUTHORIZED, SESSION_ENDED)
        return _error(request, error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(request: Request, error: RequestValidationError) -> Response:
        problems = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return _error(request, UNPROCESSABLE_ENTITY, f"The request is invalid: {problems}.")

    @app.exception_handler(Exception)
    async def bug(request: Request, _: Exception) -> Response:
        return _error(request, INTERNAL_SERVER_ERROR, PAGE_FAILED)  # Airflow logs the error


def _error(request: Request, status: int, detail: str) -> Response:
    """Return an error: as JSON, or as a page to a browser that opens one."""
    if "text/html" not in request.headers.get("Accept", ""):
        return json_response({"detail": detail}, status=status)
    login = ""
    if status == UNAUTHORIZED:
        query = urlencode({"next": page_url(request.url.query)})
        depth = request.url.path.removeprefix(request.scope.get("root_path", "")).count("/")
        login = f'<p><a target="_top" href="{"../" * depth}api/v2/auth/login?{escape(query)}">Log in</a></p>'
    return response(
        ERROR_PAGE.format(detail=escape(detail), login=login), "text/html", status=status
    )


def page_url(query: str) -> str:
    """Return where Airflow shows the page, with the query that chooses a job."""
    return f"{base_url()}/plugin/{PAGE_ROUTE}?{query}".removesuffix("?")


ERROR_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Cortex fine-tuning</title>
</head>
<body>
<h1>Cortex fine-tuning</h1>
<p>{detail}</p>
{login}
</body>
</html>
"""
