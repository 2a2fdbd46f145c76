"""
The files on stages: one temporary directory for each emulator, and what loading them needs.

fakesnow keeps the files of a whole process in one directory, whose path is a constant of its
module. That constant becomes an object which is the directory of the emulator in use.
"""

import atexit
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from fakesnow import copy_into
from fakesnow.params import MutableParams
from fakesnow.transforms import stage
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import fakesnow_gaps, stage_directory, staged_files
from airflow_provider_cortex.emulator.sql_errors import unknown_object

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

_in_use: ContextVar[str] = ContextVar("_in_use", default=stage.LOCAL_BUCKET_PATH)

# What INFER_SCHEMA calls DuckDB's types. https://docs.snowflake.com/en/sql-reference/functions/infer_schema
_TYPES = {
    "BIGINT": "NUMBER(38, 0)",
    "BLOB": "BINARY",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "DOUBLE": "REAL",
    "FLOAT": "REAL",
    "HUGEINT": "NUMBER(38, 0)",
    "INTEGER": "NUMBER(38, 0)",
    "SMALLINT": "NUMBER(38, 0)",
    "TIME": "TIME",
    "TINYINT": "NUMBER(38, 0)",
    "UBIGINT": "NUMBER(38, 0)",
    "UINTEGER": "NUMBER(38, 0)",
    "USMALLINT": "NUMBER(38, 0)",
    "UTINYINT": "NUMBER(38, 0)",
    "VARCHAR": "TEXT",
}


_UNQUOTED_FILE = re.compile(r"(\bPUT\s+)(file:\S+)", re.IGNORECASE)


class _DirectoryInUse(os.PathLike[str]):
    """A path that is another one in each request."""

    def __fspath__(self) -> str:
        return _in_use.get()

    __str__ = __fspath__

    def __add__(self, rest: str) -> str:
        return str(self) + rest


atexit.register(shutil.rmtree, stage.LOCAL_BUCKET_PATH, ignore_errors=True)  # fakesnow leaves it
vars(stage)["LOCAL_BUCKET_PATH"] = _DirectoryInUse()


class StageDirectory:
    """The directory of one emulator. Only its owner can read it."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="cortex-emulator-stages-")
        # Also removed if the emulator is never closed, at the latest when the process ends.
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let fakesnow use this directory, in this task and the threads that it starts."""
        token = _in_use.set(self.path)
        try:
            yield
        finally:
            _in_use.reset(token)

    def forget(self, names: tuple[str, ...]) -> None:
        """Remove the files of a database or schema."""
        shutil.rmtree(Path(self.path, *names), ignore_errors=True)

    def close(self) -> None:
        """Remove the directory."""
        self._remove()


def translate(statement: Expr, session: "SqlSession", params: MutableParams | None) -> Expr:
    """
    Return COPY and INFER_SCHEMA in words that fakesnow knows.

    *statement* is changed in place, and bound values that are used are removed from *params*.
    """
    if isinstance(statement, exp.Copy):
        _translate_copy(statement)
    if isinstance(statement, exp.Put):
        _translate_target(statement)
    for table in list(statement.find_all(exp.TableFromRows)):
        if table.this.name.upper() == "INFER_SCHEMA":
            table.replace(_inferred_schema(table, session, params))
    return stage_directory.replace_tables(staged_files.replace_calls(statement), session)


def listing(statement: Expr, session: "SqlSession") -> Expr | None:
    """
    Return what LIST of a named stage returns, as a SELECT; None for any other statement.

    :raises SqlError: if there is no such stage.
    """
    if not isinstance(statement, exp.ListStage) or statement.args.get("pattern"):
        return None
    at = staged_files.location(statement.this.name.strip("'"), session.namespace)
    if at is None:
        return None
    if not session.has_stage(at[0]):
        raise unknown_object("Stage", ".".join(at[0]))
    return staged_files.listing(session.engine.files, at)


def with_quoted_file(sql: str) -> str:
    """Return a PUT with its file in quotes: ``/*`` in a path begins no comment."""
    return _UNQUOTED_FILE.sub(r"\1'\2'", sql, count=1)


def _translate_target(put: exp.Put) -> None:
    """Let PUT accept a stage in quotes."""
    target = put.args["target"]
    if target.name.startswith("'"):
        target.set("this", target.name[1:-1])


def _translate_copy(copy: exp.Copy) -> None:
    """Let COPY accept a stage in quotes, and columns of a Parquet file without a cast."""
    for table in copy.find_all(exp.Table):
        if isinstance(table.this, exp.Literal) and table.name.startswith("@"):
            table.set("this", exp.var(table.name))
    for extract in list(copy.find_all(exp.JSONExtract)):
        key = extract.expression.find(exp.JSONPathKey)
        if key and isinstance(extract.this, exp.Parameter):
            extract.replace(exp.column(exp.to_identifier(key.name, quoted=True)))


def _inferred_schema(table: Expr, session: "SqlSession", params: MutableParams | None) -> Expr:
    """Return the columns of a stage's Parquet files as VALUES."""
    arguments = {
        argument.name.upper(): fakesnow_gaps.text(argument.expression, params)
        for argument in table.this.expressions
    }
    files = exp.array(*map(exp.Literal.string, _files(arguments["LOCATION"], session)))
    select = exp.select("*").from_(exp.func("read_parquet", files)).sql("duckdb")
    columns = session.execute_in_duckdb(f"DESCRIBE {select}")
    rows = [(name, _snowflake_type(type_)) for name, type_, *_ in columns]
    return exp.values(rows, alias="_", columns=["COLUMN_NAME", "TYPE"])


def _files(location: str, session: "SqlSession") -> list[str]:
    namespace = session.namespace
    url = copy_into.stage_url_from_var(
        location.removeprefix("@"),
        session.duck_connection,
        namespace.database,
        namespace.schema,
        session.table_stages,
        exp.Table(),
    )
    return [file for (file,) in session.execute_in_duckdb(stage.internal_files_sql(url))]


def _snowflake_type(type_: str) -> str:
    if type_.startswith("TIMESTAMP"):
        return "TIMESTAMP_TZ" if type_.endswith("TIME ZONE") else "TIMESTAMP_NTZ"
    if type_.startswith("DECIMAL"):
        return type_.replace("DECIMAL", "NUMBER")
    return _TYPES.get(type_, "VARIANT")
