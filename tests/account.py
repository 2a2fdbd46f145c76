"""The emulated account's tables, made and read within it: tests need no session for that."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from airflow_provider_cortex.emulator import Emulator


def execute(emulator: Emulator, sql: str) -> list[tuple[Any, ...]]:
    """Execute a statement in the account, which counts neither a login nor a statement for it."""
    engine = emulator._account.engine  # noqa: SLF001 - a driver's login and commit take ten times as long
    with closing(engine.connect("CORTEX_DB", "PUBLIC")) as session:
        rows: list[tuple[Any, ...]] = session.cursor().execute(sql).result()[1]
    return rows


def create_table(
    emulator: Emulator, name: str, rows: Iterable[tuple[str, str]], columns: str
) -> None:
    """Create a table of text; *columns* are separated by commas."""
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    execute(emulator, f"CREATE TABLE {name} AS SELECT * FROM (VALUES {values}) AS t ({columns})")


def tables(emulator: Emulator) -> set[str]:
    """Return the names of all tables."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'PUBLIC'"
    return {name for (name,) in execute(emulator, query)}


def literal(text: str) -> str:
    """Return an SQL literal, for text without backslashes."""
    return "'" + text.replace("'", "''") + "'"
