"""
Snowflake SQL that is common around Cortex's functions, and that fakesnow does not translate.

fakesnow translates everything else: https://github.com/tekumara/fakesnow
"""

import re

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.sql_errors import SqlError, already_exists, invalid_identifier

# The emulator has no grants, and keeps nothing after it stops.
_IGNORED_PROPERTIES = (exp.CopyGrantsProperty, exp.TransientProperty)

# DuckDB has one exception for these errors and for others, so its words decide. If a release has
# other words, clients get fakesnow's error number instead of Snowflake's.
_UNKNOWN_COLUMN = re.compile(
    r'(?:Referenced column|a column named|a column with name|update column) "?([^"\s]+)'
)
_EXISTS = re.compile(r'\w+ with name "([^"]+)" already exists')


def translate(statement: Expr) -> Expr:
    """Return *statement* in words that fakesnow knows. It is changed in place."""
    for node in list(statement.find_all(exp.Create, exp.GetExtract, exp.ToChar)):
        match node:
            case exp.Create():
                _drop_ignored_properties(node)
            case exp.GetExtract(expression=exp.Literal() as key):
                node.replace(exp.Bracket(this=node.this, expressions=[key]))
            case exp.ToChar(this=exp.JSONExtract() | exp.Bracket() as value) if not node.args.get(
                "format"
            ):
                node.replace(exp.cast(value, "VARCHAR"))
    return statement


def translate_error(error: ProgrammingError, sql: str) -> SqlError | None:
    """Return Snowflake's error instead of DuckDB's, for those that a client must distinguish."""
    message = str(error.raw_msg)
    if unknown := _UNKNOWN_COLUMN.search(message):
        name = unknown[1]
        return invalid_identifier(f'"{name}"' if f'"{name}"' in sql else name)
    if existing := _EXISTS.search(message):
        return already_exists(existing[1])
    return None


def _drop_ignored_properties(create: exp.Create) -> None:
    for kind in _IGNORED_PROPERTIES:
        for node in list(create.find_all(kind)):
            node.pop()
