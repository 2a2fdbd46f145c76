"""One database for emulator after emulator: to make it takes most of the time that an emulator takes to begin."""

from typing import Any

import duckdb
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow

from airflow_provider_cortex.emulator import calls
from airflow_provider_cortex.emulator.account import Account

_empty: list[duckdb.DuckDBPyConnection] = []
_make = FakeSnow.__init__


def recycle() -> None:
    """Let emulators of this process begin with what an earlier one has left, once it is as if new."""
    FakeSnow.__init__ = _take  # type: ignore[method-assign, assignment]
    Account.close = _leave  # type: ignore[method-assign, assignment]


def _take(account: FakeSnow, *arguments: Any, **options: Any) -> None:
    if not _empty:
        _make(account, *arguments, **options)
        return
    account.create_database_on_connect = account.create_schema_on_connect = True
    account.db_path = None
    account.nop_regexes = options["nop_regexes"]
    account.results_cache = {}
    account.duck_conn = _empty.pop()


def _leave(account: Account) -> None:
    database = account.duck_conn
    try:
        database.remove_function(calls.UDF)
        for (name,) in database.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal"
            f" AND database_name NOT IN ('memory', '{GLOBAL_DATABASE_NAME}')"
        ).fetchall():
            database.execute(f'DETACH "{name}"')
        for (name,) in database.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
            f" WHERE database_name = '{GLOBAL_DATABASE_NAME}'"
        ).fetchall():
            database.execute(f"DELETE FROM {GLOBAL_DATABASE_NAME}.{name}")
    except duckdb.Error:  # somebody still works with it
        database.close()
    else:
        _empty.append(database)
