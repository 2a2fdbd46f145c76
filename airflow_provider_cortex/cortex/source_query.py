"""A query that a user wrote, prepared so that it can stand in parentheses within another one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.errors import QueryError

if TYPE_CHECKING:
    from sqlparse.lexer import Lexer

NOT_SQL_PREFIXES = ("snow://", "@")
"""How data begins that is no query: a dataset (arctic-extract), a stage (snowflake-ml-python's docstring)."""

BYTE_ORDER_MARK = "\ufeff"
"""Some editors begin a file with it. To Snowflake it is a syntax error."""


def without_terminator(argument: str, sql: str) -> str:
    """
    Return a query, or an expression, as it can stand in parentheses.

    Semicolons at its end go, and with them comments that last until the end of a line: either would
    break the closing parenthesis. Literals, quoted names and block comments stay as they are.

    :param argument: where the query comes from, for the error.
    :raises QueryError: if it says nothing, or holds more than one statement.
    """
    return " ".join(_parts(argument, sql))


def source(argument: str, table_or_query: str) -> str:
    """
    Return the query for all rows of a table, if that is what the text names, and any other query as it is.

    :raises QueryError: as :func:`without_terminator`.
    """
    text, *comments = _parts(argument, table_or_query)
    if identifiers.parse(text) is not None:
        text = f"SELECT * FROM {text}"  # noqa: S608 - it is a name, and nothing else
    return " ".join([text, *comments])


def is_not_sql(data: str) -> bool:
    """Return whether the data is no query at all, so that only Cortex can tell what is in it."""
    return plain(data).lower().startswith(NOT_SQL_PREFIXES)


def plain(data: str) -> str:
    """Return data without what is around it: blanks, and a byte order mark at its beginning."""
    return data.strip().removeprefix(BYTE_ORDER_MARK).strip()


def _parts(argument: str, sql: str) -> list[str]:
    """Return a query without what ends it, and the block comments that follow it."""
    tokens = [text for _, text in _lexer().get_tokens(plain(sql))]
    comments: list[str] = []
    while tokens and _is_outside(tokens[-1]):
        text = tokens.pop()
        if text.startswith("/*"):
            comments.insert(0, text)
    if all(map(_is_outside, tokens)):
        raise QueryError(argument, "holds no SQL, only comments or semicolons.")
    if ";" in tokens:
        raise QueryError(argument, "must be one statement; a semicolon divides it into several.")
    return ["".join(tokens), *comments]


def _is_outside(text: str) -> bool:
    """Return whether a query can end before a token: a blank, a semicolon or a comment."""
    return text == ";" or not text.strip() or text.startswith(("--", "//", "/*"))


@cache
def _lexer() -> Lexer:
    """
    Return sqlparse's tokenizer, with Snowflake's rules for comments, strings and quoted names.

    It is an instance of our own: other libraries may change the one that sqlparse shares. Its stock rules are for
    other dialects: they know no ``//``, begin a comment with ``#``, and take an ARRAY for a name in brackets.

    https://docs.snowflake.com/en/sql-reference/sql/comment#syntax has ``--``, ``//`` and ``/* */``.
    https://docs.snowflake.com/en/sql-reference/data-types-text#string-constants has the escapes.
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
