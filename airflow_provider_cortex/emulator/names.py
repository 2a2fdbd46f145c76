"""
How Snowflake reads the name of a model.

https://docs.snowflake.com/en/sql-reference/identifiers-syntax: unquoted parts
mean the same in any case, quoted ones only as written.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from airflow_provider_cortex.emulator.errors import no_current

# Anything between dots is accepted as a part, although Snowflake wants quotes around
# most of it: which message it refuses with, and whether at CREATE, is not known.
_PART = re.compile(r'"(?:[^"]|"")*"(?=\.|$)|[^.]+')

# What needs no quotes to mean itself.
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is: what unqualified names are looked up in."""

    database: str | None = None
    schema: str | None = None


def qualified(name: str, place: Place, *, statement: str = "CREATE MODEL") -> str:
    """
    Return *name* as ``database.schema.model``, its own parts written as they were.

    :raises SqlError: there is nothing to qualify it with; *statement* is what cannot be done then.
    """

    def current(kind: str, value: str | None) -> str:
        if value is None:
            raise no_current(kind, statement=statement)
        return value if _PLAIN.fullmatch(value) else '"{}"'.format(value.replace('"', '""'))

    match _PART.findall(name):
        case [model]:
            parts = [current("database", place.database), current("schema", place.schema), model]
        case [schema, model]:
            parts = [current("database", place.database), schema, model]
        case parts:
            pass
    return ".".join(parts)


def key(name: str) -> Key:
    """Return what two spellings of one name have in common."""
    return tuple(
        part[1:-1].replace('""', '"') if part.startswith('"') else part.upper()
        for part in _PART.findall(name)
    )


def free(name: str, *, is_taken: Callable[[Key], bool]) -> str:
    """
    Return *name*, or with a suffix if it is taken.

    "If the name is taken, a suffix is added" is documented; which, is a guess.
    """
    if not is_taken(key(name)):
        return name
    stem, quote = (name[:-1], '"') if name.endswith('"') else (name, "")
    suffixed = (f"{stem}_{number}{quote}" for number in count(1))
    return next(candidate for candidate in suffixed if not is_taken(key(candidate)))
