"""Serves the emulator's HTTP application with uvicorn, in a thread, on one port."""

import asyncio
import socket
import threading
from concurrent.futures import Future

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_cortex.emulator.tls import Certificates

# How long stopping waits for requests that are being served.
_STOP_SECONDS = 0.1

# Rounds of the event loop until an accepted connection is among those of its server.
_ROUNDS = 5


class HttpServer:
    """A server that can be stopped and started again on the same port."""

    def __init__(
        self, app: ASGIApp, *, host: str, port: int, certificates: Certificates | None
    ) -> None:
        self.host = host
        self.port = port
        """0 until the first start means any free port."""
        self._app = app
        self._certificates = certificates
        self._uvicorn: _Uvicorn | None = None
        self._thread: threading.Thread | None = None
        self._reserved: socket.socket | None = None
        """Keeps the port while stopped. Otherwise another server might get it, and answer."""

    def start(self) -> None:
        self._release_port()
        listening = socket.create_server((self.host, self.port))
        # Accepted connections inherit it. asyncio sets it only for sockets with a named protocol,
        # which this one has not.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self._app,
                interface="asgi3",
                # uvloop, if installed, warns of connections over TLS that are open when it ends.
                loop="asyncio",
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                date_header=False,
                http=_Connection,
                ws="none",
                timeout_graceful_shutdown=1,
                ssl_certfile=self._certificates.server if self._certificates else None,
            )
        )
        # No need to wait until it runs: the socket listens, and queues the first clients.
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([listening],), name="cortex-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, but keep the port."""
        if self._uvicorn is None or self._thread is None:
            return
        self._uvicorn.stop()
        self._thread.join()
        self._uvicorn = self._thread = None
        self._reserve_port()

    def close(self) -> None:
        """Stop listening, and release the port."""
        self.stop()
        self._release_port()

    def _reserve_port(self) -> None:
        reserved = socket.socket()
        # The latest connections are still in TIME_WAIT.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind((self.host, self.port))
        except OSError:  # another process was faster
            reserved.close()
        else:
            self._reserved = reserved

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


class _Connection(H11Protocol):
    """uvicorn's connection, which gives its transport to *connection_faults*."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        # Python 3.11 cannot abort a TLS transport that was closed twice.
        if not self.transport.is_closing():
            super().shutdown()
        if self.transport.is_closing():
            self.transport.abort()  # otherwise TLS waits for an idle client to close, too


class _Uvicorn(uvicorn.Server):
    """
    A uvicorn that stops immediately. The original checks ten times per second whether to stop.

    If a release of uvicorn renames what is overridden here, stopping works, but is slow.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped: Future[None] = Future()

    def stop(self) -> None:
        # Forced: drivers keep idle connections, and waiting for those is useless.
        self.should_exit = self.force_exit = True
        self._stopped.set_result(None)

    async def main_loop(self) -> None:
        await asyncio.wrap_future(self._stopped)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        for listening in sockets or []:
            loop.remove_reader(listening.fileno())
        # Python 3.12 loses a connection that it has just accepted if its server closes first.
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_STOP_SECONDS)
        # What else is open: uvicorn does not know of a TLS connection before its handshake, and
        # after its client has gone. Without this private name, Python warns of those.
        for transport in list(getattr(loop, "_transports", {}).values()):
            transport.abort()
