"""What a check has found out about a guess."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether a guess is right."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNCLEAR = "could not tell"


@dataclass(frozen=True)
class Finding:
    """A verdict, and the observed facts or the reason."""

    verdict: Verdict
    facts: str


class CannotTellError(Exception):
    """A check cannot tell whether its guess is right. Its text is the reason."""


def verdict(facts: str, *, is_right: bool) -> Finding:
    """Return the finding of a check that could tell."""
    return Finding(Verdict.CONFIRMED if is_right else Verdict.REFUTED, facts)
