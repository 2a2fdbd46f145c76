"""
Names as Snowflake reads them: one identifier, or a qualified one, quoted or not.

Source: https://docs.snowflake.com/sql-reference/identifiers-syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_cortex.errors import ArgumentError, excerpt

DEEPEST = 3
"""The most parts of a name: database, schema, object."""

_PART = re.compile(r'(?P<plain>[A-Za-z_][A-Za-z0-9_$]*)|"(?P<quoted>(?:[^"]|"")+)"')

_SUFFIX = re.compile(r"(?<=.)_\d+$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identifier:
    """One part of a name."""

    text: str
    """Its letters, without the quotes."""
    is_quoted: bool = False

    @property
    def folded(self) -> str:
        """The name under which Snowflake keeps it: in capitals, unless it was quoted."""
        return self.text if self.is_quoted else self.text.upper()

    @property
    def sql(self) -> str:
        """The same name for a statement, always quoted: nothing in it can be taken for SQL."""
        escaped = self.folded.replace('"', '""')
        return f'"{escaped}"'


def parse(name: str, *, most: int = DEEPEST) -> tuple[Identifier, ...] | None:
    """Return the parts of *name*, and None if it is not a name of at most so many."""
    parts: list[Identifier] = []
    start = 0
    while match := _PART.match(name, start):
        parts.append(_identifier(match))
        start = match.end() + 1
        if match.end() == len(name):
            return tuple(parts) if len(parts) <= most else None
        if name[match.end()] != ".":
            break
    return None


def qualified(argument: str, name: str, *, most: int = DEEPEST) -> tuple[Identifier, ...]:
    """
    Return the parts of an argument that names something in Snowflake.

    :raises ArgumentError: if it is not one identifier or a qualified one.
    """
    parts = parse(name.strip(), most=most)
    if parts is None:
        raise ArgumentError(
            argument,
            name,
            f"must be an identifier or a qualified one, such as my_name or my_db.my_schema.my_name,"
            f" and is {excerpt(name)!r}. In Snowflake a name with other characters than letters,"
            ' digits, _ and $, or that starts with a digit, needs double quotes: "my name".',
        )
    return parts


def column(name: str) -> Identifier:
    """Return a column by the name that a user gave it: what is no identifier is taken letter by letter."""
    match = _PART.fullmatch(name)
    return Identifier(name, is_quoted=True) if match is None else _identifier(match)


def sql(parts: tuple[Identifier, ...]) -> str:
    """Return a name for a statement."""
    return ".".join(part.sql for part in parts)


def family(name: str) -> str:
    """
    Return what the versions of one model have in common, for people to read.

    Snowflake appends a suffix to a name that is taken. That it is a number behind an underscore is a guess.
    """
    parts = [part.folded for part in parse(name) or (Identifier(name, is_quoted=True),)]
    return ".".join([*parts[:-1], _SUFFIX.sub("", parts[-1])])


def _identifier(match: re.Match[str]) -> Identifier:
    if match["plain"] is not None:
        return Identifier(match["plain"])
    return Identifier(match["quoted"].replace('""', '"'), is_quoted=True)
