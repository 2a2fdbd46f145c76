"""
The HTTP side: fakesnow's Snowflake protocol, with a door of our own in front.

The door counts, delays and refuses when told to, and ends sessions. Login is ours because fakesnow's
opens every session on one account per process, and two emulators must not share one.
"""

import asyncio
import gzip
import json
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import sqlglot
from fakesnow.expr import normalise_ident
from fakesnow.server import query_request, sessions
from fakesnow.server import routes as fakesnow_routes
from fakesnow.transforms import SERVER_VERSION
from sqlglot.errors import TokenError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from airflow_provider_cortex.emulator import control
from airflow_provider_cortex.emulator.account import Account
from airflow_provider_cortex.emulator.counts import Counts
from airflow_provider_cortex.emulator.jobs import Jobs

LOGIN = "/session/v1/login-request"

# Served even so: the driver sends it from a thread of its own, where nobody catches errors.
_ABORT = "/queries/v1/abort-request"

# What the drivers are sent when nothing works any more. They try to renew a session that
# has expired; that its master token has too makes them give up, as after a night asleep.
# Codes: snowflake-connector-python, network.py. Messages: as users report them.
_SESSION_EXPIRED = "390112", "Your session has expired. Please login again."
_MASTER_TOKEN_EXPIRED = (
    "390114",
    "Authentication token has expired.  The user must authenticate again.",
)
_LOGIN_REFUSED = "390100", "Incorrect username or password was specified."

# For statements that fakesnow chokes on: Snowflake's code for its own internal errors.
_INTERNAL_ERROR = "000603"
_SYNTAX_ERROR = "001003"

_QUERY_TAG = re.compile(r"\s*ALTER\s+SESSION\s+SET\s+QUERY_TAG\s*=\s*'([^']*)'", re.IGNORECASE)

_FAILURE = b'"success":false}'
_PREFIX = re.compile(r"^\d{6} \(\w{5}\): (None: )?")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it arrived."""

    sql: str
    session: int
    query_tag: str | None


@dataclass(slots=True)
class Refusal:
    """What requests are answered with instead of being served."""

    status: int = 200
    is_login_only: bool = False
    requests: float = float("inf")
    """How many more."""

    def applies(self, path: str) -> bool:
        if self.requests <= 0 or path == _ABORT or path.startswith(control.PATH):
            return False
        return path == LOGIN or not self.is_login_only

    def response(self) -> Response:
        self.requests -= 1
        if self.is_login_only:
            return _refused(*_LOGIN_REFUSED)
        return Response(status_code=self.status)


@dataclass(slots=True)
class _Session:
    id: int
    query_tag: str | None


class Wire:
    """Everything that is said over HTTP to one emulator."""

    def __init__(self, account: Account, jobs: Jobs) -> None:
        self.statements: list[Statement] = []
        self.counts = Counts()
        self.login_delay = 0.0
        self.statement_delay = 0.0
        self.refusal: Refusal | None = None
        self._account = account
        self._sessions: dict[str, _Session] = {}
        theirs = [route for route in fakesnow_routes if route.path not in _OURS]
        self._served = Starlette(
            routes=[
                Route(LOGIN, self._login, methods=["POST"]),
                Route("/session/token-request", _renew, methods=["POST"]),
                Route("/session", self._session, methods=["POST"]),
                Route("/session/heartbeat", self._session, methods=["POST"]),
                Route("/queries/v1/query-request", self._query, methods=["POST"]),
                *control.routes(jobs, self.counts),
                *theirs,
            ]
        )

    @property
    def open_sessions(self) -> int:
        return len(self._sessions)

    def end_sessions(self) -> None:
        """Forget every session; their next statement is told that it has expired."""
        for token in list(self._sessions):
            del self._sessions[token]
            # Not closed: it may be in the middle of a statement, which is answered as if before.
            sessions.pop(token, None)

    def close(self) -> None:
        """Close every session: nobody must be using one any more."""
        for token in self._sessions:
            if session := sessions.pop(token, None):
                session.close()
        self._sessions.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application, which refuses first and serves then."""
        refusal = self.refusal
        if refusal is not None and refusal.applies(scope["path"]):
            await refusal.response()(scope, receive, send)
            return
        try:
            await self._served(scope, receive, send)
        except asyncio.CancelledError:  # stopped during a delay: else the server logs a failure
            await Response(status_code=503)(scope, receive, send)

    async def _login(self, request: Request) -> Response:
        parameters = (await _sent(request))["data"].get("SESSION_PARAMETERS", {})
        database = _identifier(request.query_params.get("databaseName"))
        schema = _identifier(request.query_params.get("schemaName"))
        autocommit = parameters.get("AUTOCOMMIT", True)
        await asyncio.sleep(self.login_delay)
        self.counts.logins += 1
        token = secrets.token_urlsafe(32)
        session = _Session(self.counts.logins, parameters.get("QUERY_TAG"))
        self._sessions[token] = session
        sessions[token] = self._account.connect(database, schema, autocommit=autocommit)
        return _success(
            {
                "token": token,
                "masterToken": secrets.token_urlsafe(32),
                "sessionId": session.id,
                "serverVersion": SERVER_VERSION,
                "parameters": [
                    {"name": "AUTOCOMMIT", "value": autocommit},
                    # There is nobody here to read it.
                    {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                    # 0: send bound arrays inline, since fakesnow does not take them as files.
                    {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                ],
                "sessionInfo": {"databaseName": database, "schemaName": schema},
            }
        )

    async def _session(self, request: Request) -> Response:
        token = _token(request)
        if token not in self._sessions:
            return _refused(*_SESSION_EXPIRED)
        if request.query_params.get("delete"):
            del self._sessions[token]
            sessions.pop(token).close()
        return _success(None)

    async def _query(self, request: Request) -> Response:
        session = self._sessions.get(_token(request))
        if session is None:
            return _refused(*_SESSION_EXPIRED)
        body = await _sent(request)
        # The delay is the one as of now: who sees the statement may already change it.
        began, delay = time.perf_counter(), self.statement_delay
        self._record(body, session)
        await asyncio.sleep(delay)
        response = await query_request(request)
        self.counts.statements += 1
        self.counts.statement_seconds += time.perf_counter() - began
        if response.status_code == HTTPStatus.OK:
            return _without_prefix(response)
        if _token(request) not in self._sessions:  # it ended just now
            return _refused(*_SESSION_EXPIRED)
        if problem := _token_error(body["sqlText"]):
            return _refused(_SYNTAX_ERROR, problem, sqlstate="42000")
        return _refused(
            _INTERNAL_ERROR,
            "SQL execution internal error: the emulator cannot run this statement. "
            + json.loads(bytes(response.body))["message"],
            sqlstate="XX000",
        )

    def _record(self, body: dict[str, Any], session: _Session) -> None:
        sql = body["sqlText"]
        tag = (body.get("parameters") or {}).get("QUERY_TAG", session.query_tag)
        self.statements.append(Statement(sql, session.id, tag))
        if match := _QUERY_TAG.match(sql):
            session.query_tag = match[1]


_OURS = {
    LOGIN,
    "/session",
    "/session/heartbeat",
    "/queries/v1/query-request",
}


def _without_prefix(response: Response) -> Response:
    """Send messages as Snowflake does, without the number and state that the driver adds."""
    body = bytes(response.body)
    if not body.endswith(_FAILURE):
        return response
    refused = json.loads(body)
    message = _PREFIX.sub("", refused["message"])
    return _refused(refused["code"], message, sqlstate=refused["data"]["sqlState"])


async def _renew(_request: Request) -> Response:
    return _refused(*_MASTER_TOKEN_EXPIRED)


async def _sent(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    sent: dict[str, Any] = json.loads(body)
    return sent


def _token(request: Request) -> str:
    """Return what stands between the quotes of ``Snowflake Token="..."``."""
    return request.headers.get("Authorization", "").partition('"')[2].rstrip('"')


def _token_error(sql: str) -> str | None:
    """Return what keeps *sql* from being even cut into tokens, such as an open quote."""
    try:
        sqlglot.tokenize(sql, read="snowflake")
    except TokenError as error:
        return str(error)
    return None


def _identifier(name: str | None) -> str | None:
    return normalise_ident(name) if name else None


def _success(data: object) -> Response:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def _refused(code: str, message: str, *, sqlstate: str | None = None) -> Response:
    """Refuse the way Snowflake does: with HTTP 200, which no driver retries."""
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})
