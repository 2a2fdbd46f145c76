"""Executes SQL: fakesnow's account, session and cursor, with Cortex's functions added."""

import copy
import json
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
from duckdb.func import ARROW, SPECIAL
from duckdb.sqltypes import BIGINT, VARCHAR
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.params import MutableParams
from snowflake.connector.cursor import DictCursor, SnowflakeCursor
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import (
    call_rewriting,
    count_tokens_function,
    driver_errors,
    extraction_training,
    fakesnow_gaps,
    model_statements,
    query_history,
    result_encoding,
    sandbox,
    session_context,
    setup_statements,
    stage_files,
)
from airflow_provider_cortex.emulator.account_objects import AccountObjects
from airflow_provider_cortex.emulator.count_tokens_function import CountTokens
from airflow_provider_cortex.emulator.datasets import Datasets
from airflow_provider_cortex.emulator.driver_errors import as_driver_error
from airflow_provider_cortex.emulator.extraction_model import EXTRACTION_MODEL
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.session_context import SessionContext
from airflow_provider_cortex.emulator.sql_errors import SqlError, invalid_identifier
from airflow_provider_cortex.emulator.sql_udfs import UserFunctions
from airflow_provider_cortex.emulator.stage_directory import DirectoryTables
from airflow_provider_cortex.emulator.staged_files import FileFunctions, StagedFiles
from airflow_provider_cortex.emulator.tracked_job import Job, JobError, Model
from airflow_provider_cortex.emulator.training import QueryResult, train

_LITERAL = re.compile(r"('(?:[^'\\]|\\.|'')*')", re.DOTALL)

_ARROW_WARNING = re.compile("Arrow output on a DB-API result", re.IGNORECASE)
_warning_filters = threading.Lock()

_FIND_STAGE = (
    "SELECT 1 FROM _fs_global._fs_information_schema._fs_stages "
    "WHERE database_name = ? AND schema_name = ? AND name = ?"
)

SqlFunction = Callable[..., str | None]
"""Takes the session's namespace and the SQL arguments; returns the value as text."""

# Session settings that change nothing here. fakesnow would reject them.
_IGNORED_STATEMENTS = [r"\s*ALTER\s+SESSION\s+(UN)?SET\s+(?!AUTOCOMMIT|QUOTED_IDENTIFIERS)"]


class SqlEngine(FakeSnow):
    """The account's databases, and the functions that its statements can call."""

    def __init__(
        self,
        *,
        jobs: JobRegistry,
        functions: Mapping[str, SqlFunction],
        count_tokens: CountTokens,
    ) -> None:
        self.stages = stage_files.StageDirectory()
        super().__init__(nop_regexes=_IGNORED_STATEMENTS)
        sandbox.confine(self.duck_conn, to=Path(self.stages.path))
        self.files = StagedFiles(Path(self.stages.path))
        self.directory_tables = DirectoryTables(self.files)
        self.datasets = Datasets()
        file_functions = FileFunctions(self.files, self._has_stage)
        self.functions_without_role: Mapping[str, SqlFunction] = {
            "TO_FILE": file_functions.to_file,
            "TRY_TO_FILE": file_functions.try_to_file,
        }
        self.functions = {**functions, **self.functions_without_role}
        """What statements can call, by name."""
        self.has_cortex_user_role = True
        self.calls_per_statement: int | None = None
        self.result_columns: dict[str | None, list[Any]] = {}
        """The columns of each result, by query id. fakesnow's *results_cache* has the rows."""
        self.account_objects = AccountObjects()
        self.user_functions = UserFunctions()
        self.jobs = jobs
        self._training = threading.RLock()
        # Null handling: a skipped argument is a NULL. Side effects: CREATE is not a constant.
        self.duck_conn.create_function(
            call_rewriting.UDF,
            self._call,
            [VARCHAR],
            VARCHAR,
            null_handling=SPECIAL,
            side_effects=True,
        )
        self.duck_conn.create_function(
            count_tokens_function.UDF,
            count_tokens,
            [VARCHAR, VARCHAR, VARCHAR],
            BIGINT,
            type=ARROW,
            null_handling=SPECIAL,
        )

    def connect(
        self,
        database: str | None = None,
        schema: str | None = None,
        nop_regexes: list[str] | None = None,
        **kwargs: Any,
    ) -> "SqlSession":
        """Open a session."""
        return SqlSession(
            self.duck_conn.cursor(),
            self.results_cache,
            database,
            schema,
            nop_regexes=nop_regexes or self.nop_regexes,
            engine=self,
            **kwargs,
        )

    def close(self) -> None:
        self.duck_conn.close()
        self.stages.close()

    def forget(self, names: tuple[str, ...]) -> None:
        """Remove the models, functions, files and datasets of a database or schema."""
        self.jobs.drop_all(names)
        self.user_functions.forget(names)
        self.stages.forget(names)
        self.directory_tables.forget(names)
        self.datasets.forget(names)

    def copy_result(self, query_id: str, *, to: str) -> None:
        """Make a query's result available under another id, too."""
        self.results_cache[to] = self.results_cache[query_id]
        self.result_columns[to] = self.result_columns[query_id]

    def train_new_jobs(self) -> None:
        """
        Read the data of all new jobs. Their CREATE statements have succeeded.

        Cortex reads it some time after CREATE has returned. Reading it before CREATE returns
        makes the outcome deterministic, and clients see no difference: they find errors in the
        data only with DESCRIBE.
        """
        with self._training:
            for job in self.jobs.take_unread():
                self.jobs.set_result(job.id, self._train(job))

    def _train(self, job: Job) -> Model | JobError:
        if job.base_model == EXTRACTION_MODEL:
            return extraction_training.train(job, datasets=self.datasets, files=self.files)
        with _DataReader(self, job.namespace) as reader:
            return train(job, run_query=reader.query)

    def _has_stage(self, key: NameKey) -> bool:
        with self.duck_conn.cursor() as cursor:
            return bool(cursor.execute(_FIND_STAGE, key).fetchall())

    def _call(self, call: str) -> str | None:
        database, schema, function, positional, named = json.loads(call)
        return self.functions[function](Namespace(database, schema), *positional, **named)


class SqlSession(FakeSnowflakeConnection):
    """A session: the current database and schema, variables, and a transaction."""

    def __init__(self, *args: Any, engine: SqlEngine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.engine = engine
        self.context = SessionContext()

    @property
    def namespace(self) -> Namespace:
        return Namespace(
            self.database if self.database_set else None, self.schema if self.schema_set else None
        )

    def copier(self) -> "Callable[[], SqlSession]":
        """Return a function that opens a session with the present namespace and variables."""
        namespace, variables = self.namespace, copy.deepcopy(self.variables)
        context = copy.copy(self.context)

        def open_copy() -> SqlSession:
            session = self.engine.connect(namespace.database, namespace.schema)
            session.variables = variables
            session.context = context
            return session

        return open_copy

    @property
    def duck_connection(self) -> duckdb.DuckDBPyConnection:
        return self._duck_conn

    def use(self, database: str | None, schema: str | None = None) -> None:
        """Make them the current ones; both exist, or are None."""
        self.database, self.database_set = database, database is not None
        self._schema, self.schema_set = schema, schema is not None
        path = exp.table_(schema or "main", db=database or "memory", quoted=True).sql("duckdb")
        self.execute_in_duckdb(f"SET schema = {exp.Literal.string(path).sql('duckdb')}")

    def execute_in_duckdb(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Execute DuckDB's SQL, and return the rows."""
        return self._duck_conn.execute(sql, values).fetchall()

    def has_stage(self, key: NameKey) -> bool:
        """Return whether a named stage exists."""
        return bool(self.execute_in_duckdb(_FIND_STAGE, key))

    def query(self, sql: str) -> QueryResult:
        """Execute a query in this session, and return the column names and rows."""
        return self.cursor().execute(sql).result()

    def execute_setup(self, sql: str) -> str | None:
        """
        Execute a statement of a setup script, and return a SELECT of its result.

        :return: None for another statement, which is not executed.
        :raises SqlError: if it fails.
        """
        try:
            return setup_statements.execute(sql, self)
        except duckdb.Error as error:
            raise driver_errors.of_duckdb(error) from error
        except ProgrammingError as error:  # an unknown session variable
            raise driver_errors.of_driver(error) from error

    def inline_variables(self, sql: str) -> str:
        """Replace session variables by their values, but not inside text literals."""
        code_and_literals = _LITERAL.split(sql)
        code_and_literals[::2] = map(self.variables.inline_variables, code_and_literals[::2])
        return "".join(code_and_literals)

    def cursor(self, cursor_class: type[SnowflakeCursor] = SnowflakeCursor) -> "SqlCursor":
        return SqlCursor(
            self, self._duck_conn, use_dict_result=issubclass(cursor_class, DictCursor)
        )


class SqlCursor(FakeSnowflakeCursor):
    """Executes statements in a session, one after another."""

    _conn: SqlSession
    _arrow_table: Any  # fakesnow gives it no type.
    _quoted: Mapping[int, str] = {}

    def execute(self, *args: Any, **kwargs: Any) -> "SqlCursor":
        super().execute(*args, **kwargs)
        for index, name in self._quoted.items():
            # DuckDB accepts "prompt" for "PROMPT"; Snowflake does not.
            if self._arrow_table.column_names[index] != name:
                raise as_driver_error(invalid_identifier(f'"{name}"'))
        self._conn.engine.train_new_jobs()
        if kwargs.get("server"):
            self._encode_result()
        return self

    def _encode_result(self) -> None:
        try:
            self._arrow_table = result_encoding.encode(self._arrow_table)
        except SqlError as error:
            raise as_driver_error(error) from error

    def result(self) -> QueryResult:
        """Return the column names and rows of the last result."""
        table = self._arrow_table
        columns = [column.to_pylist() for column in table.columns]
        return table.column_names, list(zip(*columns, strict=True))

    def _describe_last_sql(self) -> list[Any]:
        """Describe the last result, which may be that of another session's statement."""
        return _as_described(self._conn.engine.result_columns[self.sfqid])

    def _describe_only(self, command: str) -> list[Any] | None:
        described = super()._describe_only(command)
        return described and _as_described(described)

    def _transform(self, expression: Expr, params: MutableParams | None) -> Expr:
        engine, namespace = self._conn.engine, self._conn.namespace
        try:
            if call := model_statements.as_function_call(expression, namespace):
                return call
            if rows := stage_files.listing(expression, self._conn):
                return rows
            self._quoted = _quoted_columns(expression)
            expression = session_context.replace_functions(expression, self._conn)
            expression = query_history.replace_calls(expression, self._conn)
            expression = stage_files.translate(expression, self._conn, params)
            expression = engine.user_functions.replace_calls(expression, namespace)
            if engine.has_cortex_user_role:
                expression = count_tokens_function.replace_calls(expression)
            expression = call_rewriting.rewrite(
                fakesnow_gaps.translate(expression, params),
                functions=engine.functions
                if engine.has_cortex_user_role
                else engine.functions_without_role,
                namespace=namespace,
                limit=engine.calls_per_statement,
            )
        except SqlError as error:
            raise as_driver_error(error) from error
        if call_rewriting.selects_only_calls(expression):
            # fakesnow's ninety transformations are slow for hundreds of DESCRIBEs.
            return expression
        return super()._transform(expression, params)

    def _inline_variables(self, sql: str) -> str:
        return self._conn.inline_variables(sql)

    def _execute(self, transformed: Expr, params: MutableParams | None = None) -> None:
        _ignore_arrow_warning()
        try:
            super()._execute(transformed, params)
        except ProgrammingError as error:
            translated = fakesnow_gaps.translate_error(error, transformed.sql(dialect="duckdb"))
            if translated is None:
                raise
            raise as_driver_error(translated) from error
        except duckdb.Error as error:
            # An error that fakesnow does not map becomes HTTP 500, which drivers retry.
            text = str(error)
            sql_error = (
                SqlError.found_in(text) or sandbox.refusal(text) or driver_errors.of_duckdb(error)
            )
            raise as_driver_error(sql_error) from error
        # RESULT_SCAN restores a result that has been described.
        self._conn.engine.result_columns.setdefault(self.sfqid, self._duck_conn.description)


class _DataReader:
    """Queries a job's data in a session of its own, in the job's namespace."""

    def __init__(self, engine: SqlEngine, namespace: Namespace) -> None:
        self._session = engine.connect(namespace.database, namespace.schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._session.close()

    def query(self, sql: str) -> QueryResult:
        return self._session.cursor().execute(sql).result()


def _ignore_arrow_warning() -> None:
    """
    Ignore DuckDB 2's warning about the way in which fakesnow fetches results.

    Where warnings are errors, as in many test suites, the warning would become HTTP 500. It is
    called before each statement, because test runners restore the filters. It changes nothing
    if the filter exists: Python removes a filter before it adds it again, and meanwhile a
    statement of another session would raise the warning.
    """
    with _warning_filters:
        if not any(_ARROW_WARNING in each for each in warnings.filters[:1]):
            warnings.filterwarnings("ignore", message=_ARROW_WARNING.pattern)


def _quoted_columns(statement: Expr) -> dict[int, str]:
    """Return the columns of a SELECT that are quoted identifiers without an alias, by index."""
    if not isinstance(statement, exp.Select) or statement.is_star:
        return {}
    return {
        index: column.name
        for index, column in enumerate(statement.expressions)
        if isinstance(column, exp.Column) and column.this.args.get("quoted")
    }


def _as_described(columns: list[Any]) -> list[Any]:
    """Return *columns* as DuckDB's DESCRIBE would, with types that fakesnow knows."""
    try:
        types = [result_encoding.known_type(str(type_)) for _, type_, *_ in columns]
    except SqlError as error:
        raise as_driver_error(error) from error
    return [
        (name, type_, "YES", None, None, None)
        for (name, *_), type_ in zip(columns, types, strict=True)
    ]
