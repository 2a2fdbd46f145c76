"""
How a statement reads before it is parsed.

sqlglot does not know all of Snowflake's statements: it parses some as bare text, and others not
at all. So those that begin with a verb of their own are recognized by their words.
"""

import re

NAME = r'(?:(?:"(?:[^"]|"")*"|[\w$]+)\.){0,2}(?:"(?:[^"]|"")*"|[\w$]+)'
"""A pattern for a name with up to three parts."""

CONSTANT = r"'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$"
"""A pattern for a text constant; compile it with ``re.DOTALL``."""

_CONSTANT_OR_COMMENT = re.compile(
    rf"""(?P<constant>{CONSTANT})|(?P<name>"(?:[^"]|"")*")|--[^\n]*|//[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_VERB = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|//[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)


def verb(sql: str) -> str:
    """Return the first word of *sql*, in capitals."""
    match = _VERB.match(sql)
    return match[1].upper() if match else ""


def without_comments(sql: str) -> str:
    """Return *sql* without comments and without a final semicolon."""
    plain = _CONSTANT_OR_COMMENT.sub(lambda part: part["constant"] or part["name"] or " ", sql)
    return plain.strip().rstrip(";").rstrip()


def words(sql: str) -> str:
    """
    Return the words of *sql* in capitals, with single spaces, without comments and constants.

    A text constant becomes ``''``, or ``'@'`` if it is the name of a stage.
    """

    def emptied(part: re.Match[str]) -> str:
        if part["constant"] is None:
            return part["name"] or " "
        return "'@'" if part["constant"].startswith("'@") else "''"

    return " ".join(_CONSTANT_OR_COMMENT.sub(emptied, sql).split()).upper()
