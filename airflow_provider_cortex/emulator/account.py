"""An emulated Snowflake account: fakesnow's, with Cortex's functions."""

import copy
import json
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

import duckdb
from duckdb.func import SPECIAL
from duckdb.sqltypes import VARCHAR
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.params import MutableParams
from snowflake.connector.cursor import DictCursor, SnowflakeCursor
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import calls, dialect, models
from airflow_provider_cortex.emulator.errors import SqlError, invalid_identifier
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.names import Place
from airflow_provider_cortex.emulator.training import Table, read

_LITERAL = re.compile(r"('(?:[^'\\]|\\.|'')*')", re.DOTALL)

_ARROW_WARNING = re.compile("Arrow output on a DB-API result", re.IGNORECASE)
_filtering = threading.Lock()

Function = Callable[..., str | None]
"""Takes the session's place, then the SQL arguments; returns the value as text."""

# Settings of a session that change nothing here, and that fakesnow would refuse.
_IGNORED = [
    r"\s*ALTER\s+SESSION\s+(UN)?SET\s+(?!AUTOCOMMIT|QUOTED_IDENTIFIERS)",
    r"\s*USE\s+(ROLE|SECONDARY|WAREHOUSE)\b",
]


class Account(FakeSnow):
    """One account: its databases, and what the Cortex functions do in it."""

    def __init__(self, *, jobs: Jobs, functions: Mapping[str, Function]) -> None:
        super().__init__(nop_regexes=_IGNORED)
        self.functions = functions
        self.has_cortex_user_role = True
        self.calls_per_statement: int | None = None
        self.described: dict[str | None, list[Any]] = {}
        """The columns of each query's result, by its id; *results_cache* has the rows."""
        self._jobs = jobs
        self._training = threading.RLock()
        # Null handling: a skipped argument is a NULL. Side effects: CREATE is no constant.
        self.duck_conn.create_function(
            calls.UDF,
            self._call,
            [VARCHAR],
            VARCHAR,
            null_handling=SPECIAL,
            side_effects=True,
        )

    def connect(
        self,
        database: str | None = None,
        schema: str | None = None,
        nop_regexes: list[str] | None = None,
        **kwargs: Any,
    ) -> "Session":
        """Open a session; like fakesnow's, but its cursors know Cortex."""
        return Session(
            self.duck_conn.cursor(),
            self.results_cache,
            database,
            schema,
            nop_regexes=nop_regexes or self.nop_regexes,
            account=self,
            **kwargs,
        )

    def close(self) -> None:
        self.duck_conn.close()

    def alias(self, query_id: str, *, to: str) -> None:
        """Let a query's result be found by another id, too."""
        self.results_cache[to] = self.results_cache[query_id]
        self.described[to] = self.described[query_id]

    def train(self) -> None:
        """
        Read the data of jobs created since, now that their CREATE has succeeded.

        Cortex does this some time after it has answered. Doing it just before the answer
        leaves comes out the same each time, and is as invisible to the client: whatever
        is wrong with the data, it learns from DESCRIBE only.
        """
        with self._training:
            for job in self._jobs.unread():
                with _Reader(self, job.place) as reader:
                    self._jobs.learn(job.id, read(job, query=reader.query))

    def _call(self, call: str) -> str | None:
        database, schema, function, positional, named = json.loads(call)
        return self.functions[function](Place(database, schema), *positional, **named)


class Session(FakeSnowflakeConnection):
    """One session of an account."""

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    @property
    def place(self) -> Place:
        return Place(
            self.database if self.database_set else None, self.schema if self.schema_set else None
        )

    def beside(self) -> "Callable[[], Session]":
        """Return how to open, later, another session where this one is now, with its variables."""
        place, variables = self.place, copy.deepcopy(self.variables)

        def opened() -> Session:
            session = self.account.connect(place.database, place.schema)
            session.variables = variables
            return session

        return opened

    def cursor(self, cursor_class: type[SnowflakeCursor] = SnowflakeCursor) -> "Cursor":
        return Cursor(self, self._duck_conn, use_dict_result=issubclass(cursor_class, DictCursor))


class Cursor(FakeSnowflakeCursor):
    """Runs one statement after another in a session."""

    _conn: Session
    _arrow_table: Any  # fakesnow gives it no type.
    _quoted: Mapping[int, str] = {}

    def execute(self, *args: Any, **kwargs: Any) -> "Cursor":
        super().execute(*args, **kwargs)
        for place, name in self._quoted.items():
            # DuckDB takes "prompt" for "PROMPT"; Snowflake does not.
            if self._arrow_table.column_names[place] != name:
                raise _as_programming_error(invalid_identifier(f'"{name}"'))
        self._conn.account.train()
        return self

    def table(self) -> Table:
        """Return the last result's column names and rows."""
        result = self._arrow_table
        columns = [column.to_pylist() for column in result.columns]
        return result.column_names, list(zip(*columns, strict=True))

    def _describe_last_sql(self) -> list[Any]:
        """
        Describe it once, where it was run: who scans the result may be in another schema.

        What are calls alone is text, and needs no second statement.
        """
        described = self._conn.account.described
        if self.sfqid not in described:
            statement: Any = self._last_transformed
            is_text = statement is not None and calls.is_plain(statement)
            described[self.sfqid] = self._texts() if is_text else super()._describe_last_sql()
        return described[self.sfqid]

    def _texts(self) -> list[Any]:
        """Return what DuckDB's DESCRIBE would: name, type, and of null, key, default and extra nothing much."""
        names = self._arrow_table.column_names
        return [(name, "VARCHAR", "YES", None, None, None) for name in names]

    def _transform(self, expression: Expr, params: MutableParams | None) -> Expr:
        try:
            account = self._conn.account
            if call := models.called(expression, self._conn.place):
                return call
            self._quoted = _quoted_columns(expression)
            known = account.functions if account.has_cortex_user_role else {}
            expression = calls.rewrite(
                dialect.translate(expression),
                functions=known,
                place=self._conn.place,
                limit=account.calls_per_statement,
            )
        except SqlError as error:
            raise _as_programming_error(error) from error
        # fakesnow would walk some ninety times over what may be hundreds of DESCRIBEs.
        return expression if calls.is_plain(expression) else super()._transform(expression, params)

    def _inline_variables(self, sql: str) -> str:
        """Keep fakesnow from looking for session variables inside string literals."""
        code_and_literals = _LITERAL.split(sql)
        code_and_literals[::2] = map(super()._inline_variables, code_and_literals[::2])
        return "".join(code_and_literals)

    def _execute(self, transformed: Expr, params: MutableParams | None = None) -> None:
        _ignore_arrow_warning()
        try:
            super()._execute(transformed, params)
        except ProgrammingError as error:
            if said := dialect.mistake(error, transformed.sql(dialect="duckdb")):
                raise _as_programming_error(said) from error
            raise
        except duckdb.Error as error:
            # Whatever fakesnow does not map becomes HTTP 500, which drivers retry.
            raise _as_programming_error(SqlError.found_in(str(error)) or _mistake(error)) from error


class _Reader:
    """Queries a job's data in a session of its own, where its CREATE was."""

    def __init__(self, account: Account, place: Place) -> None:
        self._session = account.connect(place.database, place.schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._session.close()

    def query(self, sql: str) -> Table:
        return self._session.cursor().execute(sql).table()


def _ignore_arrow_warning() -> None:
    """
    Keep DuckDB 2 from warning of fakesnow's way of fetching.

    Where warnings are errors, as in many a test, it would end in HTTP 500. Asked before each
    statement, as test runners put the filters back. Written only where it is missing, since
    Python takes a filter away before it writes it anew, and another session's statement would
    meet the warning meanwhile.
    """
    with _filtering:
        if not any(_ARROW_WARNING in each for each in warnings.filters[:1]):
            warnings.filterwarnings("ignore", message=_ARROW_WARNING.pattern)


def _quoted_columns(statement: Expr) -> dict[int, str]:
    """Return which columns of a SELECT's result are named by an identifier in quotes, and no alias."""
    if not isinstance(statement, exp.Select) or statement.is_star:
        return {}
    return {
        place: column.name
        for place, column in enumerate(statement.expressions)
        if isinstance(column, exp.Column) and column.this.args.get("quoted")
    }


def _mistake(error: duckdb.Error) -> SqlError:
    # Guess: number and state are Snowflake's for a value that a function does not take.
    return SqlError(errno=100035, sqlstate="22000", message=str(error))


def _as_programming_error(error: SqlError) -> ProgrammingError:
    return ProgrammingError(msg=error.message, errno=error.errno, sqlstate=error.sqlstate)
