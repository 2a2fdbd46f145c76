"""
A pool of DuckDB databases for the emulators of a test run.

Making a database takes most of the time that an emulator needs to start. So an emulator that
closes empties its database and leaves it to the next one, with the only directory that it reaches.
"""

import shutil
from pathlib import Path
from typing import Any

import duckdb
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow

from airflow_provider_cortex.emulator import call_rewriting, count_tokens_function
from airflow_provider_cortex.emulator.sql_engine import SqlEngine as Account
from airflow_provider_cortex.emulator.stage_files import StageDirectory

_pool: list[tuple[duckdb.DuckDBPyConnection, StageDirectory]] = []
_make = FakeSnow.__init__

_DEFAULT = "CORTEX_DB"
"""The database that every session opens."""
_DEFAULT_SCHEMAS = {"main", "PUBLIC"}
_INFORMATION_SCHEMA = "_fs_information_schema"

_OBJECTS = """
    SELECT database_name, schema_name, NULL AS name, 0 AS size FROM duckdb_schemas()
    UNION ALL SELECT database_name, schema_name, table_name, estimated_size FROM duckdb_tables()
    UNION ALL SELECT database_name, schema_name, view_name, 0 FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT database_name, schema_name, sequence_name, 0 FROM duckdb_sequences()
"""


def reuse_databases() -> None:
    """Let the emulators of this process take their databases from the pool, and return them."""
    FakeSnow.__init__ = _take  # type: ignore[method-assign, assignment]
    Account.close = _return  # type: ignore[method-assign, assignment]


def _take(account: Account, *arguments: Any, **options: Any) -> None:
    if not _pool:
        _make(account, *arguments, **options)
        return
    account.create_database_on_connect = account.create_schema_on_connect = True
    account.db_path = None
    account.nop_regexes = options["nop_regexes"]
    account.results_cache = {}
    account.stages.close()
    account.duck_conn, account.stages = _pool.pop()


def _return(account: Account) -> None:
    database, stages = account.duck_conn, account.stages
    try:
        _empty(database)
    except duckdb.Error:  # a session still uses it
        database.close()
        stages.close()
    else:
        shutil.rmtree(stages.path)
        Path(stages.path).mkdir(mode=0o700)
        _pool.append((database, stages))


def _empty(database: duckdb.DuckDBPyConnection) -> None:
    """Remove everything that the account's sessions have made."""
    for function in call_rewriting.UDF, count_tokens_function.UDF:
        database.remove_function(function)
    objects = database.execute(_OBJECTS).fetchall()
    kept = {GLOBAL_DATABASE_NAME}
    # To make the default database again takes a while, and most tests make nothing in it.
    if not any(_is_new(*names) for *names, _ in objects):
        kept.add(_DEFAULT)
    for name in {name for name, *_ in objects} - kept - {"memory", "system", "temp"}:
        database.execute(f'DETACH "{name}"')
    for name, schema, table, size in objects:
        if name in kept and schema == _INFORMATION_SCHEMA and size:
            database.execute(f'DELETE FROM "{name}".{schema}.{table}')


def _is_new(database: str, schema: str, name: str | None) -> bool:
    """Return whether a test has made this object in the default database."""
    if database != _DEFAULT or schema == _INFORMATION_SCHEMA:
        return False
    return name is not None or schema not in _DEFAULT_SCHEMAS
