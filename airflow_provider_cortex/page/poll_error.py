"""Why a poll failed, as the page shows it: one sentence, what to do, and the driver's own text."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    CortexError,
    InvalidConnectionError,
    LoginRejectedError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)

MAX_DETAILS_BYTES = 2000
"""The most of the driver's text that the page gets."""

_SENTENCES: dict[type[CortexError], str] = {
    ConnectionNotFoundError: "Airflow has no connection {!r}.",
    InvalidConnectionError: "The connection {!r} is invalid.",
    LoginRejectedError: "Snowflake rejected the login with connection {!r}.",
    RejectedError: "Snowflake rejected a statement with connection {!r}.",
    UnreachableError: "Snowflake could not be reached with connection {!r}.",
    UnreadableAnswerError: "Cortex gave an unreadable answer with connection {!r}.",
}
"""By the kind of error: the first one that applies."""

_UNKNOWN = "Airflow could not look up the connection {!r}."
"""For an error that is none of ours, such as a secrets backend's."""

LOGIN_HINT = (
    "To avoid locking the user out, Airflow waits before it logs in again. Change the connection"
    " and press Refresh, or wait."
)
CONNECTION_HINT = "Correct the connection, then press Refresh."


@dataclass(frozen=True, kw_only=True)
class PollError:
    """
    Why a poll failed.

    :param sentence: what happened, in one sentence.
    :param details: the driver's text, at most 2 kB of UTF-8.
    :param hint: what to do.
    """

    sentence: str
    details: str
    hint: str | None
    is_missing: bool
    """Whether Airflow has no such connection."""
    is_login_rejected: bool
    """Whether another login might lock the user out."""

    @classmethod
    def of(cls, error: Exception, *, conn_id: str) -> PollError:
        """Return an error of a poll as the page shows it."""
        sentence = next(
            (text for kind, text in _SENTENCES.items() if isinstance(error, kind)), _UNKNOWN
        )
        return cls(
            sentence=sentence.format(conn_id),
            details=_shortened(_details(error)),
            hint=_hint(error),
            is_missing=isinstance(error, ConnectionNotFoundError),
            is_login_rejected=isinstance(error, LoginRejectedError),
        )


def _details(error: Exception) -> str:
    """Return our summary, and the whole text of its cause if the summary shortens it."""
    if not isinstance(error, CortexError):
        return repr(error)
    cause = str(error.__cause__ or "")
    return f"{error.summary}\n\n{cause}" if cause and cause not in error.summary else error.summary


def _hint(error: Exception) -> str | None:
    if isinstance(error, LoginRejectedError):
        return LOGIN_HINT
    if isinstance(error, InvalidConnectionError):
        return CONNECTION_HINT
    return (isinstance(error, CortexError) and error.advice) or None


def _shortened(text: str) -> str:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_DETAILS_BYTES:
        return data.decode()
    return data[: MAX_DETAILS_BYTES - len("…".encode())].decode(errors="ignore") + "…"
