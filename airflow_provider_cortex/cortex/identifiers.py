"""
Names as Snowflake reads them: identifiers, qualified or not, quoted or not.

Source: https://docs.snowflake.com/sql-reference/identifiers-syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import excerpt

MAX_PARTS = 3
"""A full name has three parts: database, schema, object."""

_PART = re.compile(r'(?P<plain>[A-Za-z_][A-Za-z0-9_$]*)|"(?P<quoted>(?:[^"]|"")+)"')

_NEEDS_NO_QUOTES = re.compile(r"[A-Z_][A-Z0-9_$]*")
"""A name that is the same without its quotes."""

_SUFFIX = re.compile(r"(?<=.)_\d+$", re.DOTALL)


@dataclass(frozen=True)
class Identifier:
    """One part of a name."""

    text: str
    """The name without its quotes."""
    is_quoted: bool = False

    @property
    def folded(self) -> str:
        """The name as Snowflake stores it: in capitals, unless it was quoted."""
        return self.text if self.is_quoted else self.text.upper()

    @property
    def sql(self) -> str:
        """The name for a statement. It is always quoted, so that no part of it can act as SQL."""
        escaped = self.folded.replace('"', '""')
        return f'"{escaped}"'

    @property
    def written(self) -> str:
        """The name as a user writes it: with quotes only where it needs them."""
        is_plain = not self.is_quoted or _NEEDS_NO_QUOTES.fullmatch(self.text)
        return self.text if is_plain else self.sql


def parse(name: str, *, max_parts: int = MAX_PARTS) -> tuple[Identifier, ...] | None:
    """Return the parts of a name, or None if it is not a name of at most *max_parts* parts."""
    parts: list[Identifier] = []
    start = 0
    while match := _PART.match(name, start):
        parts.append(_identifier(match))
        start = match.end() + 1
        if match.end() == len(name):
            return tuple(parts) if len(parts) <= max_parts else None
        if name[match.end()] != ".":
            break
    return None


def parse_argument(
    argument: str, name: str, *, max_parts: int = MAX_PARTS
) -> tuple[Identifier, ...]:
    """
    Return the parts of an argument that names something in Snowflake.

    :raises ArgumentError: if it is not an identifier, qualified or not.
    """
    parts = parse(name.strip(), max_parts=max_parts)
    if parts is None:
        raise ArgumentError(
            argument,
            name,
            "must be an identifier or a qualified one, such as my_name or my_db.my_schema.my_name;"
            f" got {excerpt(name)!r}. A name that starts with a digit, or has characters other than"
            ' letters, digits, _ and $, needs double quotes: "my name".',
        )
    return parts


def parse_or_quote(name: str) -> Identifier:
    """Return *name* as one identifier; text that is not one is taken as a quoted identifier."""
    match = _PART.fullmatch(name)
    return Identifier(name, is_quoted=True) if match is None else _identifier(match)


# Guess at-name: a model's name with an `@` before it, as on Snowflake's page on arctic-extract,
# means the model of that name without it: Cortex returns it without, as on that page, or with it. If
# wrong: SHOW MODELS and AI_EXTRACT do not find such a model: give names without an `@`. No live
# check: it needs a job with documents, which is paid for.
def without_at(model: str) -> str:
    """Return a model's name without the ``@`` that may stand before it (guess at-name)."""
    return model.strip().removeprefix("@")


def sql(parts: tuple[Identifier, ...]) -> str:
    """Return a name for a statement."""
    return ".".join(part.sql for part in parts)


def written(parts: tuple[Identifier, ...]) -> str:
    """Return a name as a user writes it."""
    return ".".join(part.written for part in parts)


# Guess name-suffix: a model name that is taken gets an underscore and a number. If wrong: the
# chart on the page shows each version of a model by itself, CortexDropModelsOperator drops none of
# the later ones, and a CortexJobTrigger for the model's name does not fire for them.
def family(name: str) -> str:
    """
    Return what the names of all versions of a model have in common, for display.

    Snowflake appends a suffix to a name that is taken (guess name-suffix).
    """
    parts = [part.folded for part in parse(name) or (Identifier(name, is_quoted=True),)]
    return ".".join([*parts[:-1], _SUFFIX.sub("", parts[-1])])


def is_version(name: str, *, of: str) -> bool:
    """
    Return whether a model's name is *of*, or *of* with a suffix of Cortex's (guess name-suffix).

    Regardless of case, since it is not known how Cortex returns a quoted name.

    :param of: may lack the schema, and the database.
    """
    wanted = _upper_parts(of)
    *schema, last = _upper_parts(name)[-len(wanted) :]
    return wanted in ([*schema, last], [*schema, _SUFFIX.sub("", last)])


def _upper_parts(name: str) -> list[str]:
    parts = parse(name) or (Identifier(name, is_quoted=True),)
    return [part.text.upper() for part in parts]


def _identifier(match: re.Match[str]) -> Identifier:
    if match["plain"] is not None:
        return Identifier(match["plain"])
    return Identifier(match["quoted"].replace('""', '"'), is_quoted=True)
