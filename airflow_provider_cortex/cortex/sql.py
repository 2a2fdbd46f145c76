"""Statements, and the values that the driver binds into them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_cortex.cortex import rendered_values, source_query
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.errors import RejectedError, UnsupportedValueError

# A NUL stands escaped in JSON, behind an odd number of backslashes.
_NUL_OR_SURROGATE_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]")

MAX_SHOWN = 10_000
"""Source: https://docs.snowflake.com/en/sql-reference/sql/show-user-functions."""


@dataclass(frozen=True)
class Call:
    """
    One statement, and the values it binds.

    The values are in the driver's ``pyformat`` style: the driver writes them into the statement as
    escaped literals. Snowflake does not document server-side binding for FINETUNE, and every known
    client sends literals.
    """

    sql: str
    values: tuple[str | None, ...]
    only_reads: bool = False
    """Whether the statement may be sent again without changing anything."""
    jobs: int = 0
    """How many fine-tuning jobs it describes, for the metrics."""


def json_text(argument: str, value: object) -> str:
    """
    Return a mapping, or a JSON object given as text, as JSON text.

    :raises ArgumentError: if it is neither.
    :raises UnsupportedValueError: if it cannot be sent as it is.
    """
    return to_json(argument, rendered_values.mapping(argument, value) or {})


def to_json(argument: str, value: object) -> str:
    """
    Return a value as JSON text.

    :raises UnsupportedValueError: if it cannot be sent as it is.
    """
    plain = dict(value) if isinstance(value, Mapping) else value
    try:
        encoded = json.dumps(
            plain, ensure_ascii=False, allow_nan=False, default=rendered_values.json_number
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsupportedValueError(argument, value, f"JSON cannot hold it: {error}") from error
    if found := _NUL_OR_SURROGATE_IN_JSON.search(encoded):
        raise rendered_values.unsendable(argument, value, found[0])
    return encoded


def models(schema: str, name: str) -> Call:
    """
    Return the statement that lists the models of a schema that match a name.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-models

    :param schema: database and schema, quoted as in SQL.
    :param name: a pattern of LIKE: it ignores case, and ``_`` matches any character.
    """
    sql = f"SHOW MODELS LIKE %s IN SCHEMA {for_binding(schema)}"
    return Call(sql, (text("model", name),), only_reads=True)


def functions(schema: str | None, name: str = "%") -> Call:
    """
    Return the statement that lists the users' functions that the role may see.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-user-functions

    :param schema: database and schema, quoted as in SQL; None for the whole account.
    :param name: a pattern of LIKE: it ignores case, and ``_`` matches any character.
    """
    scope = "ACCOUNT" if schema is None else f"SCHEMA {for_binding(schema)}"
    sql = f"SHOW USER FUNCTIONS LIKE %s IN {scope}"
    return Call(sql, (text("alias", name),), only_reads=True)


def like(name: str) -> str:
    """
    Return a pattern of LIKE for at least this name; it may match others, too.

    It has no backslash, which may escape the next character (guess like-escape).
    """
    return name.replace("\\", "_")


def shown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """
    Return what SHOW lists: for each object the values by the columns' names in lower case.

    :raises RejectedError: if the list may not be complete.
    """
    if len(rows) >= MAX_SHOWN:
        raise RejectedError(f"SHOW lists no more than {MAX_SHOWN:,} objects: some may be missing.")
    titles = [title.lower() for title in columns]
    return [dict(zip(titles, row, strict=True)) for row in rows]


def cancel_query(query_id: str) -> Call:
    """Source: https://docs.snowflake.com/sql-reference/functions/system_cancel_query."""
    return Call("SELECT SYSTEM$CANCEL_QUERY(%s)", (text("query_id", query_id),))


def columns(argument: str, data: str, *names: str) -> Call:
    """
    Return a statement that has Snowflake compile a query without running it.

    :param names: the columns to select; without any, all of them.
    """
    what = ", ".join(f'"{name}"' for name in names) or "*"
    sql = f"SELECT {what} FROM ({subquery(argument, data)}) LIMIT 0"  # noqa: S608 - the user's own query
    return Call(sql, (), only_reads=True)


def subquery(argument: str, value: str) -> str:
    """Return data as it can stand in ``SELECT … FROM (<query>)``."""
    data = text(argument, value)
    if source_query.is_not_sql(data):
        return source_query.strip(data)
    return source_query.without_terminator(argument, data)


def for_binding(sql: str) -> str:
    """Return SQL for a statement with values: there the driver needs per cent signs doubled."""
    return sql.replace("%", "%%")


def literal(value: str) -> str:
    """Return text as a literal, for a statement whose values cannot be bound."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
