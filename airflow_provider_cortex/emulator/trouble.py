"""
What faults do to a connection.

An ASGI application cannot hang up. So the protocol hands each request its connection's
transport, in the place that ASGI has for what a server keeps for its application: the state.
"""

import asyncio
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_cortex.emulator.faults import Fault, Faults

_PAGE = "<!DOCTYPE html><html><title>Proxy</title><body>Please sign in to go on.</body></html>"

# How often a request that hangs looks whether it is to go on.
_LOOK_SECONDS = 0.02


class Protocol(H11Protocol):
    """uvicorn's own, of which requests can get hold of the transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        # Python 3.11 cannot abort a TLS transport that was closed twice.
        if not self.transport.is_closing():
            super().shutdown()
        if self.transport.is_closing():
            self.transport.abort()  # TLS would wait for an idle client's goodbye


class Trouble:
    """Answers requests that a fault has struck."""

    def __init__(self, served: ASGIApp, faults: Faults) -> None:
        self._served = served
        self._faults = faults

    async def __call__(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Do to the connection what *fault* says; if that is nothing, serve the request."""
        match fault.kind:
            case "refuse":
                await _hang_up(scope, receive)
                return
            case "status":
                await Response(status_code=fault.parameters["status"])(scope, receive, send)
                return
            case "html":
                await HTMLResponse(_PAGE)(scope, receive, send)
                return
            case "hang":
                request = Request(scope, receive)
                receive = _again(await request.body(), receive)
                while self._faults.last(fault):
                    if await request.is_disconnected():
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
            case "slow":
                receive = _again(await Request(scope, receive).body(), receive)
                await asyncio.sleep(fault.parameters["delay"])
            case "reset":
                send = _Reset(scope, receive, send)
            case "cut":
                send = _Cut(send)
        await self._served(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a *receive* for a request whose body has been read already."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


async def _hang_up(scope: Scope, receive: Receive) -> None:
    cast("asyncio.Transport", scope["state"]["transport"]).abort()
    # Until uvicorn knows, it would log that an answer is missing.
    while (await receive())["type"] != "http.disconnect":
        pass


class _Reset:
    """Sends half of an answer, then hangs up. Every answer here has its body in one piece."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        await self._send({**message, "body": _half(message), "more_body": True})
        await asyncio.sleep(0)  # the event loop may write at the end of its turn only
        await _hang_up(self._scope, self._receive)


class _Cut:
    """Sends half of an answer as if it were the whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            self._start = message
            return
        half = _half(message)
        MutableHeaders(scope=self._start)["Content-Length"] = str(len(half))
        await self._send(self._start)
        await self._send({**message, "body": half})


def _half(message: Message) -> bytes:
    body: bytes = message["body"]
    return body[: len(body) // 2]
