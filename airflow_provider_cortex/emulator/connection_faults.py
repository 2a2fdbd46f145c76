"""
The effects of faults on a connection.

An ASGI application cannot close its connection. So *http_server* puts the connection's transport
into the *state* that ASGI reserves for what a server gives to its application.
"""

import asyncio
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_cortex.emulator.faults import Fault, Faults

_PROXY_PAGE = "<!DOCTYPE html><html><title>Proxy</title><body>Please sign in.</body></html>"

# How often a hanging request checks whether the fault still lasts.
_CHECK_SECONDS = 0.02


class ConnectionFaults:
    """Serves the requests that a fault has struck."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Do to the connection what *fault* demands; serve the request unless it forbids that."""
        match fault.kind:
            case "refuse":
                await _close_connection(scope, receive)
                return
            case "status":
                await Response(status_code=fault.parameters["status"])(scope, receive, send)
                return
            case "html":
                await HTMLResponse(_PROXY_PAGE)(scope, receive, send)
                return
            case "hang":
                request = Request(scope, receive)
                receive = _receive_again(await request.body(), receive)
                while self._faults.is_lasting(fault):
                    if await request.is_disconnected():
                        return
                    await asyncio.sleep(_CHECK_SECONDS)
            case "slow":
                receive = _receive_again(await Request(scope, receive).body(), receive)
                await asyncio.sleep(fault.parameters["delay"])
            case "reset":
                # Otherwise the rest of the request could make the system discard the response.
                receive = _receive_again(await Request(scope, receive).body(), receive)
                send = _SendHalfAndClose(scope, receive, send)
            case "cut":
                send = _SendHalf(send)
        await self._app(scope, receive, send)


def _receive_again(body: bytes, receive: Receive) -> Receive:
    """Return a *receive* for a request whose body has been read."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


async def _close_connection(scope: Scope, receive: Receive) -> None:
    cast("asyncio.Transport", scope["state"]["transport"]).abort()
    # Otherwise uvicorn logs that the response is missing.
    while (await receive())["type"] != "http.disconnect":
        pass


class _SendHalfAndClose:
    """Sends half of a response and closes the connection. All bodies here are in one piece."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        await self._send({**message, "body": _first_half(message), "more_body": True})
        await asyncio.sleep(0)  # the event loop may write only at the end of its turn
        await _close_connection(self._scope, self._receive)


class _SendHalf:
    """Sends half of a response as if it were complete."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            self._start = message
            return
        half = _first_half(message)
        MutableHeaders(scope=self._start)["Content-Length"] = str(len(half))
        await self._send(self._start)
        await self._send({**message, "body": half})


def _first_half(message: Message) -> bytes:
    body: bytes = message["body"]
    return body[: len(body) // 2]
