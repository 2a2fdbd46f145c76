"""A query that a user wrote, prepared to stand in parentheses within another query."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.errors import QueryError

if TYPE_CHECKING:
    from sqlparse.lexer import Lexer

NOT_SQL_PREFIXES = ("snow://", "@")
"""
Data that starts with one of them is not a query: it is a dataset (used with arctic-extract) or a
stage (in the docstring of snowflake-ml-python).
"""

BYTE_ORDER_MARK = "\ufeff"
"""Some editors write it at the start of a file. Snowflake reports it as a syntax error."""


def without_terminator(argument: str, sql: str) -> str:
    """
    Return a query or an expression without what would break a closing parenthesis after it.

    Semicolons and line comments at its end are removed. Literals, quoted names and block comments
    stay as they are.

    :param argument: the argument that holds it, for the error.
    :raises QueryError: if it is empty, or has more than one statement.
    """
    return " ".join(_parts(argument, sql))


def as_query(argument: str, table_or_query: str) -> str:
    """
    Return a query: for a table's name, one that selects all of it.

    :raises QueryError: as :func:`without_terminator`.
    """
    text, *comments = _parts(argument, table_or_query)
    if identifiers.parse(text) is not None:
        text = f"SELECT * FROM {text}"  # noqa: S608 - it is a name, and nothing else
    return " ".join([text, *comments])


def is_not_sql(data: str) -> bool:
    """Return whether the data is a path that only Cortex can read."""
    return strip(data).lower().startswith(NOT_SQL_PREFIXES)


def strip(data: str) -> str:
    """Return data without the whitespace around it, and without a leading byte order mark."""
    return data.strip().removeprefix(BYTE_ORDER_MARK).strip()


def _parts(argument: str, sql: str) -> list[str]:
    """Return a query without its end, and the block comments after it."""
    tokens = [text for _, text in _lexer().get_tokens(strip(sql))]
    comments: list[str] = []
    while tokens and _can_follow_query(tokens[-1]):
        text = tokens.pop()
        if text.startswith("/*"):
            comments.insert(0, text)
    if all(map(_can_follow_query, tokens)):
        raise QueryError(argument, "holds no SQL, only comments or semicolons.")
    if ";" in tokens:
        raise QueryError(argument, "must be one statement, but a semicolon divides it.")
    return ["".join(tokens), *comments]


def _can_follow_query(text: str) -> bool:
    """Return whether a token is whitespace, a semicolon or a comment."""
    return text == ";" or not text.strip() or text.startswith(("--", "//", "/*"))


@cache
def _lexer() -> Lexer:
    """
    Return sqlparse's tokenizer, with Snowflake's rules for comments, strings and quoted names.

    It is a separate instance because other libraries may change the shared one. sqlparse's own
    rules are for other dialects: they do not know ``//``, start a comment at ``#``, and read an
    ARRAY as a name in brackets.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/comment#syntax for ``--``, ``//`` and
    ``/* */``; https://docs.snowflake.com/en/sql-reference/data-types-text#string-constants for the
    escapes.
    """
    from sqlparse import tokens
    from sqlparse.lexer import Lexer

    lexer = Lexer()
    lexer.clear()
    lexer.set_SQL_REGEX(
        [
            (r"(?:--|//)[^\r\n]*", tokens.Comment.Single),
            (r"(?s:/\*.*?\*/)", tokens.Comment.Multiline),
            (r"(?s:'(?:[^'\\]|''|\\.)*')", tokens.String.Single),
            (r'"(?:[^"]|"")*"', tokens.Name),
            (r"(?s:\$\$.*?\$\$)", tokens.Literal),
            (r"\s+", tokens.Whitespace),
            (r";", tokens.Punctuation),
            (r"[^\s;'\"$/-]+", tokens.Text),
            (r"(?s:.)", tokens.Text),
        ]
    )
    return lexer
