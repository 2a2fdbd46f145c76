"""
How Snowflake reads the name of a model.

https://docs.snowflake.com/en/sql-reference/identifiers-syntax: the case of an unquoted
part does not matter; a quoted part means exactly what is written.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from airflow_provider_cortex.emulator.sql_errors import no_current

# Any text between dots is accepted as a part. Snowflake requires quotes around most of it, but
# its error is unknown, and so is whether CREATE or the job reports it.
_PART = re.compile(r'"(?:[^"]|"")*"(?=\.|$)|[^.]+')

# A name that needs no quotes.
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")

NameKey = tuple[str, ...]
"""The parts of a name as Snowflake stores them; equal for all spellings of one name."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The current database and schema of a session. They complete unqualified names."""

    database: str | None = None
    schema: str | None = None


def qualified(name: str, namespace: Namespace, *, statement: str = "CREATE MODEL") -> str:
    """
    Return *name* as ``database.schema.model``, with its own parts spelled as given.

    :param statement: what the error says that Snowflake cannot perform.
    :raises SqlError: if the session has no current database or schema to complete the name.
    """

    def current(kind: str, value: str | None) -> str:
        if value is None:
            raise no_current(kind, statement=statement)
        return written((value,))

    parts: list[str] = _PART.findall(name)
    match parts:
        case [_]:
            database = current("database", namespace.database)
            parts = [database, current("schema", namespace.schema), *parts]
        case [_, _]:
            parts = [current("database", namespace.database), *parts]
    return ".".join(parts)


def qualified_key(name: str, namespace: Namespace, *, statement: str) -> NameKey:
    """Return the :func:`key` of the :func:`qualified` name."""
    return key(qualified(name, namespace, statement=statement))


def key(name: str) -> NameKey:
    """Return what all spellings of one name have in common."""
    return tuple(
        part[1:-1].replace('""', '"') if part.startswith('"') else part.upper()
        for part in _PART.findall(name)
    )


def written(key: NameKey) -> str:
    """Return a spelling of a name: with quotes where they are needed."""
    return ".".join(
        part if _PLAIN.fullmatch(part) else '"{}"'.format(part.replace('"', '""')) for part in key
    )


def first_free(name: str, *, is_taken: Callable[[NameKey], bool]) -> str:
    """
    Return *name*, or *name* with a suffix if it is taken.

    "If the name is taken, a suffix is added" is documented; its form is not (guess name-suffix).
    """
    if not is_taken(key(name)):
        return name
    stem, quote = (name[:-1], '"') if name.endswith('"') else (name, "")
    suffixed = (f"{stem}_{number}{quote}" for number in count(1))
    return next(candidate for candidate in suffixed if not is_taken(key(candidate)))
