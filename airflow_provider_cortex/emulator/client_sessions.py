"""
The sessions that clients have opened, by the token that each request sends.

The SQL side of each is in fakesnow's dictionary, because fakesnow's server looks there. That
dictionary exists once per process, so several emulators share it; the tokens are unique.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import duckdb
from fakesnow.server import sessions as sql_sessions

from airflow_provider_cortex.emulator.sql_engine import SqlSession


@dataclass(slots=True)
class ClientSession:
    """What the emulator knows of a session besides its SQL side."""

    id: int
    query_tag: str | None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """DuckDB rejects a second statement of a session while one runs; Snowflake does not."""


class ClientSessions:
    """All open sessions of one emulator."""

    def __init__(self) -> None:
        self._sessions: dict[str, ClientSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, token: str) -> bool:
        return token in self._sessions

    def open(self, session: ClientSession, sql_session: SqlSession) -> str:
        """Add a session, and return its token."""
        token = secrets.token_urlsafe(32)
        self._sessions[token] = session
        sql_sessions[token] = sql_session
        return token

    def get(self, token: str) -> ClientSession | None:
        return self._sessions.get(token)

    def sql_session(self, token: str) -> SqlSession | None:
        """Return the SQL side, or None if the session has ended, perhaps a moment ago."""
        session = sql_sessions.get(token)
        return session if isinstance(session, SqlSession) else None

    def log_out(self, token: str) -> None:
        """Close a session as its client demands."""
        del self._sessions[token]
        # A session whose statement runs on cannot be closed; it is when nothing refers to it.
        with suppress(duckdb.Error):
            sql_sessions.pop(token).close()

    def end(self, token: str) -> None:
        """Forget a session, as if it had expired."""
        # Not closed, because it may be executing a statement, which still gets its response.
        self._sessions.pop(token, None)
        sql_sessions.pop(token, None)

    def end_all(self) -> None:
        """Forget all sessions; the response to the next statement of each is an error."""
        for token in list(self._sessions):
            self.end(token)


@contextmanager
def temporary_token(sql_session: SqlSession) -> Iterator[str]:
    """Give a token to a session that no client has opened, and close the session at the end."""
    token = secrets.token_urlsafe(32)
    sql_sessions[token] = sql_session
    try:
        yield token
    finally:
        sql_sessions.pop(token).close()
