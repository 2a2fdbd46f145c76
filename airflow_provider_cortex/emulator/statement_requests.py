"""Statements and asynchronous queries over HTTP. fakesnow executes their SQL."""

import asyncio
import json
import re
import time
from http import HTTPStatus
from typing import Any

import sqlglot
from fakesnow.server import bucket_upload, query_request
from sqlglot.errors import TokenError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_cortex.emulator import http_messages, not_emulated, statement_text
from airflow_provider_cortex.emulator.client_sessions import (
    ClientSession,
    ClientSessions,
    temporary_token,
)
from airflow_provider_cortex.emulator.faults import Fault
from airflow_provider_cortex.emulator.query_history import QueryHistory, Sender
from airflow_provider_cortex.emulator.query_registry import QueryRegistry, QueryStatus
from airflow_provider_cortex.emulator.sql_engine import SqlEngine, SqlSession
from airflow_provider_cortex.emulator.sql_errors import SqlError, internal_error, result_not_found
from airflow_provider_cortex.emulator.traffic import Counts, Statement

STATEMENT_PATH = "/queries/v1/query-request"

_SYNTAX_ERROR = "001003"

_QUERY_TAG = re.compile(r"\s*ALTER\s+SESSION\s+SET\s+QUERY_TAG\s*=\s*'([^']*)'", re.IGNORECASE)

# How often a request that waits for a result polls its query.
_POLL_SECONDS = 0.02

# The kinds of faults that change the rows of a result, and how often each row is then in it.
_ROW_REPETITIONS = {"no-row": 0, "two-rows": 2}


class StatementRoutes:
    """Executes and records the statements of one emulator."""

    def __init__(
        self,
        engine: SqlEngine,
        queries: QueryRegistry,
        history: QueryHistory,
        sessions: ClientSessions,
        counts: Counts,
    ) -> None:
        self.delay = 0.0
        self.received: list[Statement] = []
        self._engine = engine
        self._queries = queries
        self._history = history
        self._sessions = sessions
        self._counts = counts

    def routes(self) -> list[Route]:
        return [
            Route(STATEMENT_PATH, self._execute_or_submit, methods=["POST"]),
            Route("/monitoring/queries/{id}", self._show_status, methods=["GET"]),
            Route("/queries/{id}/result", self._show_result, methods=["GET"]),
            Route("/fs_bucket/{path:path}", self._store_file, methods=["PUT"]),
        ]

    def cancel_route(self) -> Route:
        # Its own method, since it must come after the path with "v1" instead of the id.
        return Route("/queries/{id}/abort-request", self._cancel, methods=["POST"])

    async def _execute_or_submit(self, request: Request) -> Response:
        token = http_messages.session_token(request)
        session = self._sessions.get(token)
        if session is None:
            return http_messages.session_failure()
        fault: Fault | None = request.state.fault
        if fault and fault.kind == "session":
            self._sessions.end(token)
            return http_messages.session_failure(fault.code)
        body = await http_messages.read_body(request)
        sql = http_messages.field(body, "sqlText", str)
        if sql is None:
            message = "sqlText is missing"
            raise http_messages.BadRequestError(message)
        # Read before the statement is recorded: a test may change the delay as soon as it is.
        started, delay = time.perf_counter(), self.delay
        sender = self._record(sql, body, session, self._sessions.sql_session(token))
        await asyncio.sleep(delay)
        await self._queries.execute_due()
        if body.get("asyncExec"):
            response = self._submit(request, body, session, fault, sender)
        else:
            async with session.busy:
                with self._history.running(sql, sender) as statement:
                    response = await self._execute(request, body, fault)
                    statement.id = http_messages.query_id(response) or statement.id
                    statement.error_message = http_messages.error_message(response)
        self._counts.statements += 1
        self._counts.statement_seconds += time.perf_counter() - started
        return response

    def _record(
        self,
        sql: str,
        body: dict[str, Any],
        session: ClientSession,
        sql_session: SqlSession | None,
    ) -> Sender:
        """Record a statement, and return who has sent it."""
        parameters = http_messages.field(body, "parameters", dict) or {}
        tag: str | None = parameters.get("QUERY_TAG", session.query_tag)
        self.received.append(Statement(sql, session.id, tag))
        if match := _QUERY_TAG.match(sql):
            session.query_tag = match[1]
        return Sender(None if sql_session is None else sql_session.context.user, tag)

    async def _execute(
        self, request: Request, body: dict[str, Any], fault: Fault | None
    ) -> Response:
        try:
            if fault and fault.kind == "error":
                raise fault.error
            not_emulated.check(body["sqlText"])
            with self._engine.stages.in_use():
                response = await self._setup(request, body) or await _response_of_fakesnow(request)
        except SqlError as error:
            return http_messages.sql_failure(error)
        if response.status_code == HTTPStatus.OK:
            response = http_messages.without_prefix(response)
            if fault and fault.kind in _ROW_REPETITIONS:
                return http_messages.with_repeated_rows(response, _ROW_REPETITIONS[fault.kind])
            return response
        token = http_messages.session_token(request)
        if self._sessions.sql_session(token) is None:  # it ended just now
            return http_messages.session_failure()
        if syntax_error := _token_error(body["sqlText"]):
            return http_messages.failure(_SYNTAX_ERROR, syntax_error, sqlstate="42000")
        return _cannot_execute(json.loads(bytes(response.body))["message"])

    async def _setup(self, request: Request, body: dict[str, Any]) -> Response | None:
        """Execute a statement of a setup script; return None for any other statement."""
        token = http_messages.session_token(request)
        session = self._sessions.sql_session(token)
        is_description = body.get("describeOnly") and statement_text.verb(body["sqlText"]) != "SHOW"
        if session is None or is_description:
            return None
        result = await run_in_threadpool(session.execute_setup, body["sqlText"])
        if result is None:
            return None
        resent = http_messages.resent(request, body | {"sqlText": result}, token)
        context = session.context
        return http_messages.with_context(
            await _response_of_fakesnow(resent), role=context.role, warehouse=context.warehouse
        )

    def _submit(
        self,
        request: Request,
        body: dict[str, Any],
        session: ClientSession,
        fault: Fault | None,
        sender: Sender,
    ) -> Response:
        """Accept a statement, for execution in a session of its own: this one may end earlier."""
        sql_session = self._sessions.sql_session(http_messages.session_token(request))
        if sql_session is None:  # it ended just now
            return http_messages.session_failure()
        open_copy = sql_session.copier()

        async def execute(query_id: str) -> dict[str, object]:
            with temporary_token(open_copy()) as token:
                copy = http_messages.resent(request, body, token)
                response = await self._execute(copy, body, fault)
            return self._result_data(json.loads(bytes(response.body)), query_id)

        query = self._queries.submit(body["sqlText"], session=session.id, execute=execute)
        self._history.add(query, sender)
        return http_messages.in_progress(query.id)

    def _result_data(self, response: dict[str, Any], query_id: str) -> dict[str, object]:
        """Return the data of a response, under the id of the asynchronous query."""
        data: dict[str, object] = response["data"]
        if not response["success"]:
            raise SqlError(
                errno=int(response["code"]),
                sqlstate=str(data["sqlState"]),
                message=response["message"],
            )
        if "queryId" not in data:  # PUT: its client has to upload the file
            raise internal_error()
        self._engine.copy_result(str(data["queryId"]), to=query_id)
        return {**data, "queryId": query_id}

    async def _show_status(self, request: Request) -> Response:
        """Return a query's status to any session, for ordinary statements as well."""
        if http_messages.session_token(request) not in self._sessions:
            return http_messages.session_failure()
        query_id = request.path_params["id"]
        query = await self._queries.poll(query_id)
        if query is not None:
            records = [query.record]
        elif query_id in self._engine.results_cache:
            records = [{"id": query_id, "status": QueryStatus.SUCCESS}]
        else:
            records = []
        return http_messages.success({"queries": records})

    async def _show_result(self, request: Request) -> Response:
        """Wait until a query has finished, and return its result."""
        if http_messages.session_token(request) not in self._sessions:
            return http_messages.session_failure()
        query_id = request.path_params["id"]
        while query := await self._queries.poll(query_id):
            if query.error is not None:
                return http_messages.sql_failure(query.error)
            if query.status is QueryStatus.SUCCESS:
                return http_messages.success(query.data)
            await asyncio.sleep(_POLL_SECONDS)
        return http_messages.sql_failure(result_not_found(query_id))

    async def _store_file(self, request: Request) -> Response:
        """Store a file that a PUT without bound values uploads."""
        try:
            with self._engine.stages.in_use():
                response: Response = await bucket_upload(request)
        except (OSError, ValueError):  # no such path is possible
            return Response(status_code=400)
        return response

    async def _cancel(self, request: Request) -> Response:
        if http_messages.session_token(request) not in self._sessions:
            return http_messages.session_failure()
        self._queries.cancel(request.path_params["id"])
        return http_messages.success(None)


async def _response_of_fakesnow(request: Request) -> Response:
    try:
        response: Response = await query_request(request)
    except Exception as error:  # noqa: BLE001 - fakesnow lets those of wrong bound values pass
        return _cannot_execute(f"{type(error).__name__}: {error}")
    return response


def _cannot_execute(reason: str) -> Response:
    return http_messages.failure(
        http_messages.INTERNAL_ERROR,
        f"SQL execution internal error: the emulator cannot execute this statement. {reason}",
        sqlstate="XX000",
    )


def _token_error(sql: str) -> str | None:
    """Return why *sql* cannot be split into tokens, such as an open quote; or None."""
    try:
        sqlglot.tokenize(sql, read="snowflake")
    except TokenError as error:
        return str(error)
    return None
