"""The emulator: an account with its jobs, and the server through which drivers reach it."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from airflow_provider_cortex.emulator import models
from airflow_provider_cortex.emulator.account import Account
from airflow_provider_cortex.emulator.complete import UNTUNED_MODELS, Complete
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune import BASE_MODELS, Finetune
from airflow_provider_cortex.emulator.jobs import ID_PREFIX, Clock, Jobs
from airflow_provider_cortex.emulator.life import Life
from airflow_provider_cortex.emulator.names import Place
from airflow_provider_cortex.emulator.queries import Queries
from airflow_provider_cortex.emulator.tls import Certificates
from airflow_provider_cortex.emulator.trouble import Protocol
from airflow_provider_cortex.emulator.wire import Credentials, Statement, Wire

_LOGIN = {"account": "emulator", "user": "emulator"}
_PASSWORD = "emulator"  # noqa: S105 - any other would do as well
_PLACE = {"database": "CORTEX_DB", "schema": "PUBLIC", "warehouse": "CORTEX_WH"}

# How long a stop waits for what is being served.
_GRACE_SECONDS = 0.1


class Emulator:
    """
    Snowflake Cortex on this machine.

    Use it as a context manager, or call *start*, *stop* and at last *close*.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        life: Life | None = None,
        query_life: Life | None = None,
        clock: Clock = time.time,
        tls: Path | None = None,
        password: str | None = None,
        token: str | None = None,
        login_delay: float = 0.0,
        statement_delay: float = 0.0,
        base_models: frozenset[str] = BASE_MODELS,
        id_prefix: str = ID_PREFIX,
    ) -> None:
        self.host = host
        self.port = port
        self.faults = Faults(clock=clock, end_sessions=self._end_sessions)
        """What goes wrong; see the module *faults*."""

        def account_clock() -> float:
            return clock() + self.faults.jump

        self.jobs = Jobs(clock=account_clock, life=life or Life.at_once(), id_prefix=id_prefix)
        self.queries = Queries(clock=account_clock, life=query_life or Life.at_once())
        """The asynchronous ones; see the module *queries*."""
        self.certificates = Certificates.kept_in(tls, host=host) if tls else None
        complete = Complete(self.jobs, account_clock, self.faults, UNTUNED_MODELS | base_models)
        tuned = models.Models(self.jobs)
        self._account = Account(
            jobs=self.jobs,
            functions={
                "SNOWFLAKE.CORTEX.FINETUNE": Finetune(self.jobs, self.faults, base_models),
                "SNOWFLAKE.CORTEX.COMPLETE": complete.complete,
                "SNOWFLAKE.CORTEX.TRY_COMPLETE": complete.try_complete,
                "SNOWFLAKE.CORTEX.AI_COMPLETE": complete.ai_complete,
                models.SHOW: tuned.show,
                models.DROP: tuned.drop,
                "AI_COMPLETE": complete.ai_complete,
                # Not Cortex, but what Snowpark's Session calls when it closes.
                "SYSTEM$CANCEL_QUERY": self._cancel_query,
                "SYSTEM$CANCEL_ALL_QUERIES": lambda *_: "0 queries cancelled.",
            },
        )
        self._credentials = Credentials(password=password, token=token)
        self._wire = Wire(self._account, self.jobs, self.queries, self.faults, self._credentials)
        self.login_delay = login_delay
        self.statement_delay = statement_delay
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._held: socket.socket | None = None
        """What keeps the port while nobody listens on it: else another server might answer this one's clients."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def life(self) -> Life:
        """How the jobs created from now on go."""
        return self.jobs.life

    @life.setter
    def life(self, life: Life) -> None:
        self.jobs.life = life

    @property
    def query_life(self) -> Life:
        """How the asynchronous queries submitted from now on go; a look is one at their status."""
        return self.queries.life

    @query_life.setter
    def query_life(self, life: Life) -> None:
        self.queries.life = life

    @property
    def has_cortex_user_role(self) -> bool:
        """Whether the sessions' role may use Cortex; without it, the functions are unknown."""
        return self._account.has_cortex_user_role

    @has_cortex_user_role.setter
    def has_cortex_user_role(self, has: bool) -> None:
        self._account.has_cortex_user_role = has

    @property
    def calls_per_statement(self) -> int | None:
        """How many calls of Cortex functions a statement may have; None for any number."""
        return self._account.calls_per_statement

    @calls_per_statement.setter
    def calls_per_statement(self, limit: int | None) -> None:
        self._account.calls_per_statement = limit

    @property
    def login_delay(self) -> float:
        """For how many seconds a login waits before it is served."""
        return self._wire.login_delay

    @login_delay.setter
    def login_delay(self, seconds: float) -> None:
        self._wire.login_delay = seconds

    @property
    def statement_delay(self) -> float:
        """For how many seconds a statement waits before it is run."""
        return self._wire.statement_delay

    @statement_delay.setter
    def statement_delay(self, seconds: float) -> None:
        self._wire.statement_delay = seconds

    @property
    def password(self) -> str | None:
        """The only password that a login may show; None for any."""
        return self._credentials.password

    @password.setter
    def password(self, password: str | None) -> None:
        self._credentials.password = password

    @property
    def token(self) -> str | None:
        """The only OAuth token that a login may show; None for any. Those before it have expired."""
        return self._credentials.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._credentials.token = token

    @property
    def statements(self) -> list[Statement]:
        """Every statement received so far, those that failed included."""
        return list(self._wire.statements)

    @property
    def logins(self) -> int:
        """How many sessions have been opened so far."""
        return self._wire.counts.logins

    @property
    def refused_logins(self) -> int:
        """How many logins have been refused so far."""
        return self._wire.counts.refused_logins

    @property
    def open_sessions(self) -> int:
        """How many sessions are open: neither closed by their client nor ended."""
        return self._wire.open_sessions

    @property
    def protocol(self) -> str:
        return "https" if self.certificates else "http"

    @property
    def connect_arguments(self) -> dict[str, str | int]:
        """What to give to ``snowflake.connector.connect``."""
        reach: dict[str, str | int] = {
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            # Else the driver asks the clouds' metadata hosts where it runs, at every login.
            "platform_detection_timeout_seconds": 0,
        }
        return reach | _LOGIN | {"password": self.password or _PASSWORD} | _PLACE

    @property
    def airflow_connection(self) -> str:
        """What to put into ``AIRFLOW_CONN_SNOWFLAKE_DEFAULT``."""
        return json.dumps(
            {
                "conn_type": "snowflake",
                "login": _LOGIN["user"],
                "password": self.password or _PASSWORD,
                "schema": _PLACE["schema"],
                "extra": {
                    "account": _LOGIN["account"],
                    "host": self.host,
                    "port": self.port,
                    "protocol": self.protocol,
                    "database": _PLACE["database"],
                    "warehouse": _PLACE["warehouse"],
                },
            }
        )

    def start(self) -> None:
        """Listen; on the same port as before, if it has been stopped."""
        self._release_port()
        listening = socket.create_server((self.host, self.port))
        # What it accepts inherits this; asyncio sets it only where the protocol is told, which here it is not.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._wire,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                date_header=False,
                http=Protocol,
                ws="none",
                timeout_graceful_shutdown=1,
                ssl_certfile=self.certificates.server if self.certificates else None,
            )
        )
        # No need to wait for it: the socket listens, so the first client can only queue.
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="cortex-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; data, jobs and sessions stay as they are."""
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join()
        self._server = self._thread = None
        self._hold_port()

    def close(self) -> None:
        """Stop for good, and let go of everything."""
        self.stop()
        self._release_port()
        self._wire.close()
        self._account.close()

    def _hold_port(self) -> None:
        held = socket.socket()
        # The connections of a moment ago are in TIME_WAIT still.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((self.host, self.port))
        except OSError:  # another process was faster
            held.close()
        else:
            self._held = held

    def _release_port(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _cancel_query(self, _place: Place, query_id: str) -> str:
        if self.queries.cancel(query_id):
            return f"query [{query_id}] terminated."  # as documented
        # Guess: that this is no error, and the same for unknown ids. The words are reported by users.
        return "Identified SQL statement is not currently executing."

    def _end_sessions(self) -> None:
        self._wire.end_sessions()


class _Server(uvicorn.Server):
    """
    uvicorn's, but it stops at once: by itself it looks ten times a second whether it is to.

    Should a release rename what is overridden here, stopping is as slow as before, and right.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped: Future[None] = Future()

    def stop(self) -> None:
        # Forced: a driver's idle connections are not worth waiting for.
        self.should_exit = self.force_exit = True
        self._stopped.set_result(None)

    async def main_loop(self) -> None:
        await asyncio.wrap_future(self._stopped)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            # What waits longer is cancelled when the event loop ends.
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)
