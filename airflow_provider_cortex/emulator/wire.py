"""
The HTTP side: fakesnow's Snowflake protocol, with a door of our own in front.

The door counts and delays, knows passwords, and lets faults strike. Login is ours because fakesnow's
opens every session on one account per process, and two emulators must not share one.
"""

import asyncio
import base64
import gzip
import json
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
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
from starlette.types import Message, Receive, Scope, Send

from airflow_provider_cortex.emulator import control
from airflow_provider_cortex.emulator.account import Account, Session
from airflow_provider_cortex.emulator.counts import Counts
from airflow_provider_cortex.emulator.errors import SqlError
from airflow_provider_cortex.emulator.faults import (
    LOGIN,
    LOGOUT,
    OTHER,
    QUERY,
    STATEMENT,
    Fault,
    Faults,
)
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.queries import Queries, Query, Status
from airflow_provider_cortex.emulator.trouble import Trouble

_LOGIN = "/session/v1/login-request"
_QUERY = "/queries/v1/query-request"

# Served even so: the driver sends it from a thread of its own, where nobody catches errors.
_ABORT = "/queries/v1/abort-request"

# The driver's name for it: the query is detached, ask for its result later.
_IN_PROGRESS_ASYNC = "333334"

# What the drivers are sent when nothing works any more. They try to renew a session that
# has expired; that its master token has too makes them give up, as after a night asleep.
# Codes: snowflake-connector-python, network.py. Messages: as users report them; of 390113 and
# 390115, a guess.
_SESSION_EXPIRED = "390112", "Your session has expired. Please login again."
_MASTER_TOKEN_EXPIRED = (
    "390114",
    "Authentication token has expired.  The user must authenticate again.",
)
_SESSION_OVER = {
    "390111": "Session no longer exists.  New login required to access the service.",
    "390113": "Master token not found.",
    "390115": "Master token is invalid.",
    **dict([_SESSION_EXPIRED, _MASTER_TOKEN_EXPIRED]),
}
_LOGIN_REFUSED = "390100", "Incorrect username or password was specified."
# The same file has these, with the words of the first: OAUTH_ACCESS_TOKEN_INVALID_GS_CODE
# and OAUTH_ACCESS_TOKEN_EXPIRED_GS_CODE.
_TOKEN_INVALID = "390303", "Invalid OAuth access token."
_TOKEN_EXPIRED = "390318", "OAuth access token expired."

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


class Credentials:
    """What a login must show. None: anything will do."""

    def __init__(self, *, password: str | None, token: str | None) -> None:
        self.password = password
        self._token = token
        self._former_tokens: set[str | None] = set()

    @property
    def token(self) -> str | None:
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._former_tokens.add(self._token)
        self._token = token

    def refusal(self, login: dict[str, Any]) -> tuple[str, str] | None:
        """Return code and words for a login that fails."""
        if login.get("AUTHENTICATOR") == "OAUTH":
            token = login.get("TOKEN")
            if self._token in {None, token}:
                return None
            return _TOKEN_EXPIRED if token in self._former_tokens else _TOKEN_INVALID
        if "TOKEN" in login or self.password in {None, login.get("PASSWORD")}:
            return None  # a key pair's token, say, is not looked at
        return _LOGIN_REFUSED


@dataclass(slots=True)
class _Session:
    id: int
    query_tag: str | None


class Wire:
    """Everything that is said over HTTP to one emulator."""

    def __init__(
        self,
        account: Account,
        jobs: Jobs,
        queries: Queries,
        faults: Faults,
        credentials: Credentials,
    ) -> None:
        self.statements: list[Statement] = []
        self.counts = Counts()
        self.login_delay = 0.0
        self.statement_delay = 0.0
        self._account = account
        self._queries = queries
        self._faults = faults
        self._credentials = credentials
        self._sessions: dict[str, _Session] = {}
        theirs = [route for route in fakesnow_routes if route.path not in _OURS]
        self._served = Starlette(
            routes=[
                Route(_LOGIN, self._login, methods=["POST"]),
                Route("/session/token-request", _renew, methods=["POST"]),
                Route("/session", self._session, methods=["POST"]),
                Route("/session/heartbeat", self._session, methods=["POST"]),
                Route(_QUERY, self._query, methods=["POST"]),
                Route("/monitoring/queries/{id}", self._status, methods=["GET"]),
                Route("/queries/{id}/result", self._result, methods=["GET"]),
                *control.routes(jobs, queries, self.counts, faults),
                *theirs,
                # After theirs, for of theirs one has a "v1" where the id is.
                Route("/queries/{id}/abort-request", self._cancel, methods=["POST"]),
            ]
        )
        self._trouble = Trouble(self._served, faults)

    @property
    def open_sessions(self) -> int:
        return len(self._sessions)

    def end_sessions(self) -> None:
        """Forget every session; their next statement is told that it has expired."""
        for token in list(self._sessions):
            self._end(token)

    def close(self) -> None:
        """Close every session: nobody must be using one any more."""
        for token in self._sessions:
            if session := sessions.pop(token, None):
                session.close()
        self._sessions.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application, where faults strike first."""
        place = _place(scope)
        fault = self._faults.strike(place) if place else None
        scope["state"]["fault"] = fault
        try:
            if fault is None:
                await self._served(scope, receive, send)
            else:
                await self._trouble(fault, scope, receive, send)
        except asyncio.CancelledError:  # stopped during a delay: else the server logs a failure
            await Response(status_code=503)(scope, receive, send)

    async def _login(self, request: Request) -> Response:
        login = (await _sent(request))["data"]
        if refusal := self._refusal(request.state.fault, login):
            self.counts.refused_logins += 1
            return _refused(*refusal)
        parameters = login.get("SESSION_PARAMETERS", {})
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

    def _refusal(self, fault: Fault | None, login: dict[str, Any]) -> tuple[str, str] | None:
        if fault is not None and fault.kind == "login":
            return _code(fault), fault.parameters["message"]
        return self._credentials.refusal(login)

    async def _session(self, request: Request) -> Response:
        token = _token(request)
        if token not in self._sessions:
            return _refused(*_SESSION_EXPIRED)
        if request.query_params.get("delete"):
            # Guess: its asynchronous queries go on. The driver does not log out while it knows of any.
            del self._sessions[token]
            sessions.pop(token).close()
        return _success(None)

    async def _query(self, request: Request) -> Response:
        session = self._sessions.get(_token(request))
        if session is None:
            return _refused(*_SESSION_EXPIRED)
        fault: Fault | None = request.state.fault
        kind = fault.kind if fault else ""
        if fault and kind == "session":
            self._end(_token(request))
            return _refused(_code(fault), _SESSION_OVER.get(_code(fault), "Session is over."))
        body = await _sent(request)
        # The delay is the one as of now: who sees the statement may already change it.
        began, delay = time.perf_counter(), self.statement_delay
        self._record(body, session)
        await asyncio.sleep(delay)
        await self._queries.settle()
        if body.get("asyncExec"):
            response = self._submit(request, body, session, fault)
        else:
            response = await self._answer(request, body, fault)
        self.counts.statements += 1
        self.counts.statement_seconds += time.perf_counter() - began
        return response

    async def _answer(
        self, request: Request, body: dict[str, Any], fault: Fault | None
    ) -> Response:
        """Run a statement."""
        kind = fault.kind if fault else ""
        response = _failed(fault) if fault and kind == "error" else await query_request(request)
        if response.status_code == HTTPStatus.OK:
            repeated = _ROWS.get(kind)
            return _without_prefix(response) if repeated is None else _with_rows(response, repeated)
        if _token(request) not in sessions:  # it ended just now
            return _refused(*_SESSION_EXPIRED)
        if problem := _token_error(body["sqlText"]):
            return _refused(_SYNTAX_ERROR, problem, sqlstate="42000")
        return _refused(
            _INTERNAL_ERROR,
            "SQL execution internal error: the emulator cannot run this statement. "
            + json.loads(bytes(response.body))["message"],
            sqlstate="XX000",
        )

    def _submit(
        self, request: Request, body: dict[str, Any], session: _Session, fault: Fault | None
    ) -> Response:
        """Take on a statement, to be run later in a session of its own: this one may be over then."""
        theirs = sessions.get(_token(request))
        if not isinstance(theirs, Session):  # it ended just now
            return _refused(*_SESSION_EXPIRED)
        opened = theirs.beside()

        async def run(query_id: str) -> dict[str, object]:
            token = secrets.token_urlsafe(32)
            sessions[token] = opened()
            try:
                answered = await self._answer(_again(request, body, token), body, fault)
            finally:
                sessions.pop(token).close()
            return self._kept(json.loads(bytes(answered.body)), query_id)

        query = self._queries.submit(body["sqlText"], session=session.id, run=run)
        return _in_progress(query)

    def _kept(self, answer: dict[str, Any], query_id: str) -> dict[str, object]:
        """Return the answer's data under the id that the query was given at first."""
        data: dict[str, object] = answer["data"]
        if not answer["success"]:
            raise SqlError(
                errno=int(answer["code"]),
                sqlstate=str(data["sqlState"]),
                message=answer["message"],
            )
        self._account.alias(str(data["queryId"]), to=query_id)
        return {**data, "queryId": query_id}

    async def _status(self, request: Request) -> Response:
        """Tell where a query is, to whoever has a session; also of one that was waited for."""
        if _token(request) not in self._sessions:
            return _refused(*_SESSION_EXPIRED)
        query_id = request.path_params["id"]
        query = await self._queries.look(query_id)
        if query is not None:
            told = [query.told]
        elif query_id in self._account.results_cache:
            told = [{"id": query_id, "status": Status.SUCCESS}]
        else:
            told = []
        return _success({"queries": told})

    async def _result(self, request: Request) -> Response:
        """Wait for a query's end, and give its answer."""
        if _token(request) not in self._sessions:
            return _refused(*_SESSION_EXPIRED)
        while query := await self._queries.look(request.path_params["id"]):
            if query.error is not None:
                return _failure(query.error)
            if query.status is Status.SUCCESS:
                return _success(query.data)
            await asyncio.sleep(_LOOK_SECONDS)
        # Guess: the words and the number are those of RESULT_SCAN.
        return _refused("000709", f"Statement {request.path_params['id']} not found", "02000")

    async def _cancel(self, request: Request) -> Response:
        if _token(request) not in self._sessions:
            return _refused(*_SESSION_EXPIRED)
        self._queries.cancel(request.path_params["id"])
        return _success(None)

    def _end(self, token: str) -> None:
        # Not closed: it may be in the middle of a statement, which is answered as if before.
        self._sessions.pop(token, None)
        sessions.pop(token, None)

    def _record(self, body: dict[str, Any], session: _Session) -> None:
        sql = body["sqlText"]
        tag = (body.get("parameters") or {}).get("QUERY_TAG", session.query_tag)
        self.statements.append(Statement(sql, session.id, tag))
        if match := _QUERY_TAG.match(sql):
            session.query_tag = match[1]


_OURS = {
    _LOGIN,
    "/session",
    "/session/heartbeat",
    _QUERY,
    "/monitoring/queries/{sfqid}",
}

# How often a request that waits for a result looks at its query.
_LOOK_SECONDS = 0.02

# How many times the kinds of faults that change an answer's rows have each of them.
_ROWS = {"no-row": 0, "two-rows": 2}


def _place(scope: Scope) -> str | None:
    """Return which faults may strike a request; None: none may."""
    path = scope["path"]
    if path == _ABORT or path.startswith(control.PATH):
        return None
    if path == "/session" and b"delete=true" in scope["query_string"]:
        return LOGOUT
    if path.startswith("/monitoring/queries/") or path.endswith("/result"):
        return QUERY
    return {_LOGIN: LOGIN, _QUERY: STATEMENT}.get(path, OTHER)


def _in_progress(query: Query) -> Response:
    data = {
        "queryId": query.id,
        "getResultUrl": f"/queries/{query.id}/result",
        "queryAbortsAfterSecs": 300,
    }
    return JSONResponse(
        {"data": data, "code": _IN_PROGRESS_ASYNC, "message": None, "success": True}
    )


def _again(request: Request, body: dict[str, Any], token: str) -> Request:
    """Return the request as another session would send it."""
    headers = [(b"authorization", f'Snowflake Token="{token}"'.encode())]
    message = {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def receive() -> Message:
        return message

    return Request({**request.scope, "headers": headers}, receive)


def _code(fault: Fault) -> str:
    return f"{fault.parameters['code']:06}"


def _failed(fault: Fault) -> Response:
    return _failure(fault.error)


def _with_rows(response: Response, times: int) -> Response:
    """Return the answer with each row so many *times*."""
    answer = json.loads(bytes(response.body))
    data = answer["data"]
    if not answer["success"]:
        return _without_prefix(response)
    if packed := data.get("rowsetBase64"):
        with pa.ipc.open_stream(base64.b64decode(packed)) as reader:
            rows = reader.read_all()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            for _ in range(times):
                writer.write_table(rows)
        data["rowsetBase64"] = base64.b64encode(sink.getvalue()).decode()
    elif "rowset" in data:
        data["rowset"] *= times
    data["total"] = data.get("total", 0) * times
    return JSONResponse(answer)


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


def _failure(error: SqlError) -> Response:
    return _refused(error.number, error.message, sqlstate=error.sqlstate)


def _success(data: object) -> Response:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def _refused(code: str, message: str, sqlstate: str | None = None) -> Response:
    """Refuse the way Snowflake does: with HTTP 200, which no driver retries."""
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})
