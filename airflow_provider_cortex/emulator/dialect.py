"""
What fakesnow does not translate, of the SQL that goes with Cortex.

Only that: the rest is as good as fakesnow's. https://github.com/tekumara/fakesnow
"""

import re

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.errors import SqlError, already_exists, invalid_identifier

# Nothing here is granted to anybody, and everything is gone in the end.
_WITHOUT_MEANING = (exp.CopyGrantsProperty, exp.TransientProperty)

_UNKNOWN_COLUMN = re.compile(
    r'(?:Referenced column|a column named|a column with name|update column) "?([^"\s]+)'
)
_EXISTS = re.compile(r'\w+ with name "([^"]+)" already exists')


def translate(statement: Expr) -> Expr:
    """Put what fakesnow knows in the place of what it does not; *statement* is changed in place."""
    for node in list(statement.find_all(exp.Create, exp.GetExtract, exp.ToChar)):
        match node:
            case exp.Create():
                _drop_properties(node)
            case exp.GetExtract(expression=exp.Literal() as key):
                node.replace(exp.Bracket(this=node.this, expressions=[key]))
            case exp.ToChar(this=exp.JSONExtract() | exp.Bracket() as value) if not node.args.get(
                "format"
            ):
                node.replace(exp.cast(value, "VARCHAR"))
    return statement


def mistake(error: ProgrammingError, sql: str) -> SqlError | None:
    """Return what Snowflake would say instead of *error*, where a client has to tell it from others."""
    message = str(error.raw_msg)
    if unknown := _UNKNOWN_COLUMN.search(message):
        name = unknown[1]
        return invalid_identifier(f'"{name}"' if f'"{name}"' in sql else name)
    if existing := _EXISTS.search(message):
        return already_exists(existing[1])
    return None


def _drop_properties(create: exp.Create) -> None:
    for kind in _WITHOUT_MEANING:
        for node in list(create.find_all(kind)):
            node.pop()
