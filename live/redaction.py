"""Hide in a report the names of the account, its user and its hosts, and all secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.hooks import CortexHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

Redact = Callable[[str], str]

CONTEXT = ("ACCOUNT", "ACCOUNT_NAME", "ORGANIZATION_NAME", "USER", "ROLE", "WAREHOUSE")
"""What Snowflake itself calls them: the connection may have other names, or none."""

SHOWN = frozenset({"protocol", "authenticator", "insecure_mode"})
"""Fields of a connection's extra that are no names: their words occur in any text."""

MIN_CHARACTERS = 3
"""Shorter texts, and numbers, are no names, and occur in any text."""

NOTHING = "(?!)"
"""A regular expression that matches nothing."""

PATTERNS = {
    re.compile(r"[\w.-]+\.snowflakecomputing\.\w+"): "<host>",
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"): "<address>",
}


def redaction(hook: CortexHook) -> Redact:
    """Return a function that replaces in a text what must not be shown."""
    hidden = dict(_names(hook))
    # The longest first: a name may be a part of another one.
    values = sorted(hidden, key=len, reverse=True)
    # Whole words: a schema may be called like a part of one.
    words = "|".join(map(re.escape, values)) or NOTHING
    names = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)

    def redact(text: str) -> str:
        for pattern, instead in PATTERNS.items():
            text = pattern.sub(instead, text)
        return names.sub(lambda found: f"<{hidden[found[0].lower()]}>", text)

    return redact


def _names(hook: CortexHook) -> Iterator[tuple[str, str]]:
    """Yield each text to hide, in small letters, and what to show instead."""
    connection: Connection = hook.get_connection(hook.get_conn_id())
    fields: Mapping[str, Any] = {
        "connection": hook.get_conn_id(),
        "host": connection.host,
        "user": connection.login,
        "password": connection.password,
        "schema": connection.schema,
        **connection.extra_dejson,
    }
    for name, value in [*_context(hook), *fields.items()]:
        if name not in SHOWN:
            for text in _texts(value):
                yield text.lower(), name.removeprefix("extra__snowflake__")


def _context(hook: CortexHook) -> Iterator[tuple[str, object]]:
    calls = ", ".join(f"CURRENT_{name}()" for name in CONTEXT)
    try:
        cells = hook.row(Call(f"SELECT {calls}", ()), width=len(CONTEXT), about="ask for names")
    except CortexError:
        return
    for name, cell in zip(CONTEXT, cells, strict=True):
        yield name.lower(), cell


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a connection's field; of a private key, also each line."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, str):
        for text in (value, *value.splitlines()):
            if len(text.strip()) >= MIN_CHARACTERS and not text.strip().isdecimal():
                yield text.strip()
