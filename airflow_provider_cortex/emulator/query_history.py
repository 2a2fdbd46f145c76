"""
The statements of the account, and INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER, which lists them.

https://docs.snowflake.com/en/sql-reference/functions/query_history
"""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import call_rewriting, databases, name_resolution
from airflow_provider_cortex.emulator.life import Clock
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.query_registry import AsyncQuery, QueryStatus
from airflow_provider_cortex.emulator.sql_errors import (
    invalid_arguments,
    invalid_value,
    no_current,
    unknown_function,
    unknown_object,
)

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

_FUNCTION = "QUERY_HISTORY_BY_USER"
NAME = f"INFORMATION_SCHEMA.{_FUNCTION}"

PARAMETERS = (
    "user_name",
    "end_time_range_start",
    "end_time_range_end",
    "result_limit",
    "include_client_generated_statement",
)
"""In their positional order."""

# Some of Snowflake's forty columns.
_COLUMNS = {
    "QUERY_ID": "VARCHAR",
    "QUERY_TEXT": "VARCHAR",
    "USER_NAME": "VARCHAR",
    "QUERY_TAG": "VARCHAR",
    "EXECUTION_STATUS": "VARCHAR",
    "ERROR_MESSAGE": "VARCHAR",
    "START_TIME": "TIMESTAMP WITH TIME ZONE",
    "END_TIME": "TIMESTAMP WITH TIME ZONE",
}

_DEFAULT_LIMIT, _LARGEST_LIMIT = 100, 10_000
_KEPT_SECONDS = 7 * 24 * 3600.0


@dataclass(slots=True, kw_only=True)
class SyncStatement:
    """A statement whose client waits for the response."""

    sql: str
    submitted_on: float
    """Epoch seconds."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Known to its client only when it has finished."""
    finished_on: float | None = None
    """Epoch seconds; None while it runs."""
    error_message: str | None = None

    @property
    def status(self) -> QueryStatus:
        if self.finished_on is None:
            return QueryStatus.RUNNING
        return QueryStatus.FAILED_WITH_ERROR if self.error_message else QueryStatus.SUCCESS


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose statement it is."""

    user: str | None
    """As Snowflake stores the name."""
    query_tag: str | None


@dataclass(frozen=True, slots=True)
class _PastStatement:
    statement: SyncStatement | AsyncQuery
    sender: Sender

    @property
    def ended_on(self) -> float:
        ended_on = self.statement.finished_on
        return math.inf if ended_on is None else ended_on

    @property
    def record(self) -> dict[str, object]:
        statement, status = self.statement, self.statement.status
        if status is QueryStatus.ABORTED:
            # Documented: a cancelled statement is identified by its message, not by its status.
            status = QueryStatus.FAILED_WITH_ERROR
        return {
            "QUERY_ID": statement.id,
            "QUERY_TEXT": statement.sql,
            "USER_NAME": self.sender.user,
            "QUERY_TAG": self.sender.query_tag or "",
            "EXECUTION_STATUS": status,
            "ERROR_MESSAGE": statement.error_message,
            "START_TIME": _timestamp(statement.submitted_on),
            "END_TIME": _timestamp(statement.finished_on or 0),  # 1970, as documented
        }


@dataclass(slots=True)
class QueryHistory:
    """Every statement that a session has sent, and what has happened to it so far."""

    clock: Clock
    _statements: list[_PastStatement] = field(default_factory=list)

    def add(self, statement: SyncStatement | AsyncQuery, sender: Sender) -> None:
        self._statements.append(_PastStatement(statement, sender))

    @contextmanager
    def running(self, sql: str, sender: Sender) -> Iterator[SyncStatement]:
        """Add a statement that runs within this context."""
        statement = SyncStatement(sql=sql, submitted_on=self.clock())
        self.add(statement, sender)
        try:
            yield statement
        finally:
            statement.finished_on = self.clock()

    def by_user(self, _namespace: Namespace, *args: object, **named: object) -> str:
        """
        Return the statements of a user as JSON records, newest first.

        :raises SqlError: for an invalid argument.
        """
        given = dict(zip(PARAMETERS, args, strict=False)) | named
        if len(args) > len(PARAMETERS) or not given.keys() <= set(PARAMETERS):
            raise invalid_arguments(of=_FUNCTION, got=given or args)
        user = name_resolution.key(str(given["user_name"]))[-1:]
        first = self._moment("end_time_range_start", given, default=-math.inf)
        last = self._moment("end_time_range_end", given, default=math.inf)
        found = (
            past
            for past in list(self._statements)
            if (past.sender.user,) == user and first <= past.ended_on <= last
        )
        # Documented: with a limit, those that run or have ended last.
        newest = nlargest(
            _limit(given), found, key=lambda past: (past.ended_on, past.statement.submitted_on)
        )
        newest.sort(key=lambda past: past.statement.submitted_on, reverse=True)
        return json.dumps([past.record for past in newest])

    def _moment(self, name: str, given: dict[str, object], *, default: float) -> float:
        """Return an argument in epoch seconds; it must be within the last seven days."""
        value = given.get(name)
        if value is None:
            return default
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise invalid_value(value, parameter=name.upper()) from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if seconds < self.clock() - _KEPT_SECONDS:
            raise invalid_value(value, parameter=name.upper())
        return seconds


# The function returns a list of records, and UNNEST makes a row of each.
_SELECT = sqlglot.parse_one(
    f"SELECT UNNEST(FROM_JSON(records, '{json.dumps([_COLUMNS])}'), recursive := true)",
    read="duckdb",
)


def replace_calls(statement: Expr, session: "SqlSession") -> Expr:
    """
    Return *statement* with each TABLE(…QUERY_HISTORY_BY_USER(…)) replaced by a subquery.

    It is changed in place.

    :raises SqlError: if the name is incomplete, or its database does not exist.
    """
    for table in list(statement.find_all(exp.TableFromRows)):
        if call := _history_call(table.this, session):
            select = _SELECT.copy()
            for column in select.find_all(exp.Column):
                column.replace(call)
            table.replace(exp.Subquery(this=select, alias=table.args.get("alias")))
    return statement


def _history_call(function: Expr, session: "SqlSession") -> Expr | None:
    name = call_rewriting.function_name(function)
    if name == _FUNCTION:
        raise unknown_function(name)
    if not f".{name}".endswith(f".{NAME}"):
        return None
    _check_database(name.removesuffix(NAME).removesuffix("."), session)
    positional, named = call_rewriting.arguments(function)
    if not positional:
        named.setdefault("user_name", exp.Literal.string(session.context.user or ""))
    return call_rewriting.udf_call(NAME, session.namespace, positional, named)


def _check_database(name: str, session: "SqlSession") -> None:
    if name and not databases.exists(session, name):
        raise unknown_object("Database", name)
    if not name and session.namespace.database is None:
        raise no_current("database", statement="SELECT")


def _limit(given: Mapping[str, object]) -> int:
    limit = given.get("result_limit")
    if limit is None:
        return _DEFAULT_LIMIT
    if not isinstance(limit, int) or not 1 <= limit <= _LARGEST_LIMIT:
        raise invalid_value(limit, parameter="RESULT_LIMIT")
    return limit


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
