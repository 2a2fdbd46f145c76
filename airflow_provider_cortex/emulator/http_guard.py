"""
Refuses the requests that web pages make a browser send to the emulator.

A page can send requests to 127.0.0.1 from any site, and read the responses if its own name
resolves to 127.0.0.1 (DNS rebinding). Drivers and curl name the emulator as their host, and send
no origin.
"""

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_cortex.emulator import control_api

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger(__name__)


class HttpGuard:
    """
    An ASGI application that passes on what no foreign web page has sent.

    :param hosts: the names and addresses by which clients may call the emulator.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {_normalized(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._refusal(scope) or self._app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # The address at which a request arrived is the emulator's, whatever it listens on.
        hosts = self._hosts | {_normalized(scope["server"][0])}
        host = _host_of(f"//{headers.get('host', '')}")
        if host not in hosts:
            # Not 403, which the driver would retry.
            return _refuse(
                421,
                f"The emulator does not serve the host {host!r}. If it is one of its names, "
                "start it with --allow-host NAME, or Emulator(allow_hosts=[...]).",
            )
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) not in hosts:
            return _refuse(
                403,
                f"The emulator serves no web page of the origin {origin!r}, unless its host is "
                "allowed with --allow-host NAME, or Emulator(allow_hosts=[...]).",
            )
        if headers.get("sec-fetch-site") == "cross-site":
            return _refuse(403, "The emulator serves no web page of another site.")
        if _controls(scope) and _media_type(headers) != "application/json":
            return _refuse(415, "Send the header 'Content-Type: application/json'.")
        return None


def _controls(scope: Scope) -> bool:
    """Return whether a request is of the one method that changes something and needs no CORS."""
    path: str = scope["path"]
    return scope["method"] == "POST" and path.startswith(control_api.PATH)


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _host_of(url: str) -> str:
    """Return the host in *url*, without its port; an empty text if there is none."""
    try:
        return _normalized(urlsplit(url).hostname or "")
    except ValueError:
        return ""


def _normalized(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _refuse(status: int, message: str) -> Response:
    _log.warning(message)
    return JSONResponse({"error": message}, status_code=status)
