"""The statements that an emulator has received, taken apart: code here, literals there."""

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from airflow_provider_cortex.emulator import Emulator

LITERAL = re.compile(r"'((?:[^'\\]|\\.|'')*)'", re.DOTALL)
"""A string literal of Snowflake's."""

_ESCAPE = re.compile(r"''|\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_NAMED_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def decoded(literal: str) -> str:
    """
    Return the text of a literal as Snowflake reads it.

    https://docs.snowflake.com/en/sql-reference/data-types-text#escape-sequences-in-single-quoted-string-constants
    """

    def one(escape: re.Match[str]) -> str:
        """Return the only one: its text with ? for each literal, and the texts of the literals."""
        octal, hexadecimal, unicode, other = escape.groups()
        if octal:
            return chr(int(octal, 8))
        if hexadecimal or unicode:
            return chr(int(hexadecimal or unicode, 16))
        return _NAMED_ESCAPES.get(other, other) if other else "'"

    return _ESCAPE.sub(one, literal)


@dataclass
class Received:
    """The statements that the emulator has received since the last call."""

    emulator: Emulator
    seen: int = field(default=0)

    def all(self) -> list[str]:
        """Return them."""
        statements = [statement.sql for statement in self.emulator.statements[self.seen :]]
        self.seen += len(statements)
        return statements

    def one(self) -> tuple[str, list[str]]:
        """Return the only one: its text with ? for each literal, and the texts of the literals."""
        (sql,) = self.all()
        literals = [decoded(literal) for literal in LITERAL.findall(sql)]
        # sqlglot agrees: one statement, with these literals.
        (statement,) = sqlglot.parse(sql, read="snowflake")
        assert isinstance(statement, exp.Select)
        assert [node.name for node in statement.find_all(exp.Literal, bfs=False)] == literals
        return LITERAL.sub("?", sql), literals
