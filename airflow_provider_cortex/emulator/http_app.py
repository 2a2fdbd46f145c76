"""
The HTTP side of the emulator: Snowflake's protocol, with faults in front.

fakesnow serves the protocol, except for logins, sessions, and asynchronous queries. Its login
opens all sessions on one account per process, and two emulators must not share an account.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from fakesnow.expr import normalise_ident
from fakesnow.server import routes as fakesnow_routes
from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.requests import Request
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
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.session_context import SessionContext
from airflow_provider_cortex.emulator.sql_engine import SqlEngine
from airflow_provider_cortex.emulator.statement_requests import STATEMENT_PATH, StatementRoutes
from airflow_provider_cortex.emulator.traffic import Counts

_LOGIN_PATH = "/session/v1/login-request"

# No fault strikes it: the driver sends it from a thread of its own, which catches no errors.
_ABORT_PATH = "/queries/v1/abort-request"


class HttpApp:
    """The ASGI application of one emulator."""

    def __init__(
        self,
        *,
        engine: SqlEngine,
        jobs: JobRegistry,
        queries: QueryRegistry,
        faults: Faults,
        credentials: Credentials,
        sessions: ClientSessions,
        reset: Callable[[], None],
    ) -> None:
        self.counts = Counts()
        self.statements = StatementRoutes(engine, queries, sessions, self.counts)
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
                *fakesnow_routes,
                self.statements.cancel_route(),
            ]
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

    async def _log_in(self, request: Request) -> Response:
        login = (await http_messages.read_body(request))["data"]
        if rejection := self._rejection(request.state.fault, login):
            self.counts.refused_logins += 1
            return http_messages.failure(*rejection)
        parameters = login.get("SESSION_PARAMETERS", {})
        database = _identifier(request.query_params.get("databaseName"))
        schema = _identifier(request.query_params.get("schemaName"))
        autocommit = parameters.get("AUTOCOMMIT", True)
        await asyncio.sleep(self.login_delay)
        self.counts.logins += 1
        session = ClientSession(self.counts.logins, parameters.get("QUERY_TAG"))
        sql_session = self._engine.connect(database, schema, autocommit=autocommit)
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
                    "databaseName": database,
                    "schemaName": schema,
                    "roleName": context.role,
                    "warehouseName": context.warehouse,
                },
            }
        )

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


def _context(request: Request, login: dict[str, Any], session_id: int) -> SessionContext:
    context = SessionContext(
        session_id=session_id,
        account=_identifier(login.get("ACCOUNT_NAME")),
        user=_identifier(login.get("LOGIN_NAME")),
        warehouse=_identifier(request.query_params.get("warehouse")),
    )
    if role := _identifier(request.query_params.get("roleName")):
        context.role = role
    return context


async def _renew(_request: Request) -> Response:
    return http_messages.session_failure(http_messages.MASTER_TOKEN_EXPIRED)


def _identifier(name: str | None) -> str | None:
    return normalise_ident(name) if name else None
