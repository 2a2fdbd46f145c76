"""How much has been asked of an emulator so far."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """What a client costs its account."""

    logins: int = 0
    """Sessions opened."""
    refused_logins: int = 0
    """Sessions that were not."""
    statements: int = 0
    """Statements answered, those that failed included."""
    statement_seconds: float = 0.0
    """How long those took here, delay included."""
