"""
Text from elsewhere, such as a status word that Cortex sent, made safe for where it is shown.

Characters that would be obeyed, and not shown, become the escapes that Python writes: ``\\x1b``,
``\\u202e``. The result is the same if it is made safe again.
"""

from __future__ import annotations

import re

MAX_EXCERPT_CHARACTERS = 300

_GROUP_MARKERS = re.compile(r"(:|#)(?=(:|#\[)(end)?group(::|\]))", re.IGNORECASE)
"""
The beginning of what folds lines of a task's log in Airflow's interface: ``::group::``, anywhere
in a line, and in Airflow 2 ``##[group]``, too.
"""


def for_terminal(text: str) -> str:
    """
    Return text as one line that cannot control a terminal: no escape sequence, no change of the
    writing direction.
    """
    return " ".join(_printable(text).split())


def for_log(text: str) -> str:
    """
    Return text that cannot pretend to be other lines of a log, fold it, or control who shows it.
    """
    return _GROUP_MARKERS.sub(lambda marker: _escape(marker[0]), _printable(text))


def excerpt(value: object) -> str:
    """Return foreign text as one line of limited length; shortened text states its length."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    if len(text) <= MAX_EXCERPT_CHARACTERS:
        return text
    return f"{text[:MAX_EXCERPT_CHARACTERS]}… ({len(text)} characters)"


def _printable(text: str) -> str:
    """Return text with spaces for line breaks, and escapes for other invisible characters."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char.isspace() else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    """Return a character as Python writes it in text."""
    return char.encode("unicode_escape").decode() if not char.isprintable() else f"\\x{ord(char):x}"
