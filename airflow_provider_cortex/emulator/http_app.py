"""
The HTTP side of the emulator: Snowflake's protocol, with faults in front.

fakesnow executes statements and stores uploaded files. Its other routes are not served: its login
opens all sessions on one account per process, which has no sandbox, and two emulators must not
share an account.
"""

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import Callable
from typing import Any

import duckdb
from fakesnow.expr import normalise_ident
from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from airflow_provider_cortex.emulator import control_api, http_messages
from airflow_provider_cortex.emulator.client_sessions import ClientSession, ClientSessions
from airflow_provider_cortex.emulator.connection_faults import ConnectionFaults
from airflow_provider_cortex.emulator.credentials import Credentials
from airflow_provider_cortex.emulator.fault_kinds import LOGIN, LOGOUT, OTHER, QUERY, STATEMENT
from airflow_provider_cortex.emulator.faults import Fault, Faults
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.query_history import QueryHistory
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.session_context import SessionContext
from airflow_provider_cortex.emulator.sql_engine import SqlEngine, SqlSession
from airflow_provider_cortex.emulator.statement_requests import STATEMENT_PATH, StatementRoutes
from airflow_provider_cortex.emulator.traffic import Counts

_LOGIN_PATH = "/session/v1/login-request"

# No fault strikes it: the driver sends it from a thread of its own, which catches no errors.
_ABORT_PATH = "/queries/v1/abort-request"

# fakesnow puts the names in a login into SQL without quotes.
_NAME = re.compile(r"[^\W\d][\w$]{0,254}")

# A database with one of these names would hide the schema of the same name in all others.
_NO_DATABASES = {"INFORMATION_SCHEMA", "PG_CATALOG"}

_log = logging.getLogger(__name__)


class HttpApp:
    """The ASGI application of one emulator."""

    def __init__(
        self,
        *,
        engine: SqlEngine,
        jobs: JobRegistry,
        queries: QueryRegistry,
        history: QueryHistory,
        faults: Faults,
        credentials: Credentials,
        sessions: ClientSessions,
        reset: Callable[[], None],
    ) -> None:
        self.counts = Counts()
        self.statements = StatementRoutes(engine, queries, history, sessions, self.counts)
        self.login_delay = 0.0
        self._engine = engine
        self._faults = faults
        self._credentials = credentials
        self._sessions = sessions
        self._routes = Starlette(
            routes=[
                Route(_LOGIN_PATH, self._log_in, methods=["POST"]),
                Route("/session/token-request", _renew, methods=["POST"]),
                Route("/session", self._keep_or_close_session, methods=["POST"]),
                Route("/session/heartbeat", self._keep_or_close_session, methods=["POST"]),
                *self.statements.routes(),
                *control_api.routes(jobs, queries, self.counts, faults, reset),
                Route(_ABORT_PATH, _accept, methods=["POST"]),
                self.statements.cancel_route(),
            ],
            exception_handlers={
                http_messages.BadRequestError: http_messages.bad_request,
                Exception: _internal_error,
            },
        )
        self._routes_with_fault = ConnectionFaults(self._routes, faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        point = _fault_point(scope)
        fault = self._faults.strike(point) if point else None
        scope["state"]["fault"] = fault
        try:
            if fault is None:
                await self._routes(scope, receive, send)
            else:
                await self._routes_with_fault(fault, scope, receive, send)
        except asyncio.CancelledError:
            # Stopped during a delay. Without a response the server would log an error.
            await Response(status_code=503)(scope, receive, send)
        except ClientDisconnect:
            pass  # the client no longer waits for the response
        except Exception:  # noqa: BLE001 - the client has its response (see _internal_error)
            _log.exception("The emulator failed to serve %s %r", scope["method"], scope["path"])

    async def _log_in(self, request: Request) -> Response:
        body = await http_messages.read_body(request)
        login = http_messages.field(body, "data", dict) or {}
        if rejection := self._rejection(request.state.fault, login):
            self.counts.refused_logins += 1
            return http_messages.failure(*rejection)
        parameters = http_messages.field(login, "SESSION_PARAMETERS", dict) or {}
        database = _identifier(request.query_params.get("databaseName"))
        schema = _identifier(request.query_params.get("schemaName"))
        autocommit = parameters.get("AUTOCOMMIT", True)
        await asyncio.sleep(self.login_delay)
        self.counts.logins += 1
        session = ClientSession(self.counts.logins, parameters.get("QUERY_TAG"))
        sql_session = self._open(database, schema, autocommit=bool(autocommit))
        sql_session.context = context = _context(request, login, session.id)
        return http_messages.success(
            {
                "token": self._sessions.open(session, sql_session),
                "masterToken": secrets.token_urlsafe(32),
                "sessionId": session.id,
                "serverVersion": SERVER_VERSION,
                "parameters": [
                    {"name": "AUTOCOMMIT", "value": autocommit},
                    {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                    # 0: bound arrays are sent inline, since fakesnow does not accept files.
                    {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                ],
                "sessionInfo": {
                    "databaseName": sql_session.namespace.database,
                    "schemaName": sql_session.namespace.schema,
                    "roleName": context.role,
                    "warehouseName": context.warehouse,
                },
            }
        )

    def _open(self, database: str | None, schema: str | None, *, autocommit: bool) -> SqlSession:
        """Open a session, without what has a name that DuckDB reserves: then it does not exist."""
        if database is not None and database.upper() in _NO_DATABASES:
            database = None
        for names in (database, schema), (database, None):
            with contextlib.suppress(duckdb.Error):
                return self._engine.connect(*names, autocommit=autocommit)
        return self._engine.connect(autocommit=autocommit)

    def _rejection(self, fault: Fault | None, login: dict[str, Any]) -> tuple[str, str] | None:
        if fault is not None and fault.kind == "login":
            return fault.code, fault.parameters["message"]
        return self._credentials.rejection(login)

    async def _keep_or_close_session(self, request: Request) -> Response:
        token = http_messages.session_token(request)
        if token not in self._sessions:
            return http_messages.session_failure()
        if request.query_params.get("delete"):
            # Guess queries-outlive-logout: the asynchronous queries of a session continue after
            # its logout. If wrong: a query ends that continues in tests. No live check: the driver
            # does not log out while it knows of running queries.
            self._sessions.log_out(token)
        return http_messages.success(None)


def _fault_point(scope: Scope) -> str | None:
    """Return the point at which faults may strike a request; None if none may."""
    path = scope["path"]
    if path == _ABORT_PATH or path.startswith(control_api.PATH):
        return None
    if path == "/session" and b"delete=true" in scope["query_string"]:
        return LOGOUT
    if path.startswith("/monitoring/queries/") or path.endswith("/result"):
        return QUERY
    return {_LOGIN_PATH: LOGIN, STATEMENT_PATH: STATEMENT}.get(path, OTHER)


async def _accept(_request: Request) -> Response:
    return http_messages.success(None)


def _context(request: Request, login: dict[str, Any], session_id: int) -> SessionContext:
    context = SessionContext(
        session_id=session_id,
        account=_identifier(http_messages.field(login, "ACCOUNT_NAME", str)),
        user=_identifier(http_messages.field(login, "LOGIN_NAME", str)),
        warehouse=_identifier(request.query_params.get("warehouse")),
    )
    if role := _identifier(request.query_params.get("roleName")):
        context.role = role
    return context


async def _renew(_request: Request) -> Response:
    return http_messages.session_failure(http_messages.MASTER_TOKEN_EXPIRED)


def _internal_error(request: Request, error: Exception) -> Response:
    """Return Snowflake's error, with HTTP 200 to drivers, which would retry an HTTP 500."""
    is_of_driver = not request.url.path.startswith(control_api.PATH)
    failure = http_messages.failure(
        http_messages.INTERNAL_ERROR,
        f"SQL execution internal error: the emulator failed. {type(error).__name__}: {error}",
        sqlstate="XX000",
    )
    failure.status_code = 200 if is_of_driver else 400
    return failure


def _identifier(name: str | None) -> str | None:
    """Return a name as fakesnow writes it; None if the emulator can have no such name."""
    identifier = normalise_ident(name or "")
    return identifier if _NAME.fullmatch(identifier) else None
