"""What clients have sent to an emulator so far."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it arrived."""

    sql: str
    """The statement, with values that the driver has inserted."""
    session: int
    """The number of the session, counted from 1 by logins."""
    query_tag: str | None
    """The session's ``QUERY_TAG``; None if it has none."""


@dataclass(slots=True)
class Counts:
    """How much load clients put on the account."""

    logins: int = 0
    """Accepted logins, so sessions opened."""
    refused_logins: int = 0
    """Rejected logins."""
    statements: int = 0
    """Statements that got a response, failed ones included."""
    statement_seconds: float = 0.0
    """How long those took, delays included."""
