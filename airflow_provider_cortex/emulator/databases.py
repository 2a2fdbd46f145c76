"""
CREATE, DROP and USE of databases.

fakesnow creates none with the schema PUBLIC, replaces and drops none, and keeps the old one in use
after CREATE; quickstarts rely on all of this.
"""

from typing import TYPE_CHECKING

from sqlglot import exp

from airflow_provider_cortex.emulator.sql_errors import (
    already_exists,
    no_such_namespace,
    unknown_object,
)

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

_DEFAULT_SCHEMA = "PUBLIC"

# DuckDB's own, and fakesnow's.
_INTERNAL = {"memory", "system", "temp", "_fs_global"}


def create(session: "SqlSession", name: str, *, or_replace: bool, if_not_exists: bool) -> str:
    """Create a database with the schema PUBLIC, use it, and return the statement's status."""
    if exists(session, name):
        if if_not_exists:
            return f"{name} already exists, statement succeeded."
        if not or_replace:
            raise already_exists(name)
        _detach(session, name)
    session.engine.connect(name, _DEFAULT_SCHEMA).close()
    session.use(name, _DEFAULT_SCHEMA)
    return f"Database {name} successfully created."


def drop(session: "SqlSession", name: str, *, if_exists: bool) -> str:
    """Drop a database, and return the statement's status."""
    if not exists(session, name):
        if if_exists:
            return f"Drop statement executed successfully ({name} already dropped)."
        raise unknown_object("Database", name)
    _detach(session, name)
    return f"{name} successfully dropped."


def drop_schema(session: "SqlSession", database: str, schema: str, *, if_exists: bool) -> str:
    """Drop a schema with all that is in it, and return the statement's status."""
    if not exists(session, database, schema):
        if if_exists:
            return f"Drop statement executed successfully ({schema} already dropped)."
        raise unknown_object("Schema", f"{database}.{schema}")
    if (session.database, session.schema) == (database, schema):
        session.use(database)
    session.execute_in_duckdb(f"DROP SCHEMA {_quoted(database)}.{_quoted(schema)} CASCADE")
    _forget_contents(session, database, schema)
    return f"{schema} successfully dropped."


def use(session: "SqlSession", database: str | None, schema: str | None = None) -> None:
    """
    Make a database and a schema the current ones.

    :param database: None for the current one.
    :param schema: None for PUBLIC, if the database has it.
    """
    database = database or session.namespace.database
    if database is None or not exists(session, database, schema):
        raise no_such_namespace()
    if schema is None and exists(session, database, _DEFAULT_SCHEMA):
        schema = _DEFAULT_SCHEMA
    session.use(database, schema)


def exists(session: "SqlSession", database: str, schema: str | None = None) -> bool:
    """Return whether a database exists; with *schema*, whether the database has it."""
    found = session.execute_in_duckdb(
        "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?",
        [database, schema or "main"],
    )
    return bool(found) and database.lower() not in _INTERNAL


def _forget_contents(session: "SqlSession", *names: str) -> None:
    """
    Remove what a dropped database or schema has had and DuckDB does not know.

    :param names: of the database, or of the database and its schema.
    """
    session.engine.forget(names)
    columns = ("database_name", "schema_name")
    condition = exp.and_(
        *(
            exp.column(column).eq(exp.Literal.string(name))
            for column, name in zip(columns, names, strict=False)
        )
    )
    for table in ("_fs_stages", "_fs_file_formats"):
        delete = exp.delete(f"_fs_global._fs_information_schema.{table}", where=condition)
        session.execute_in_duckdb(delete.sql("duckdb"))


def _detach(session: "SqlSession", name: str) -> None:
    if session.database == name:
        session.use(None)  # DuckDB detaches no database that is in use
    session.execute_in_duckdb(f"DETACH {_quoted(name)}")
    _forget_contents(session, name)


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")
