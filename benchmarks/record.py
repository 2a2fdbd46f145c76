"""What is measured of a contender: by its own process, and read by the one that started it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.probe import Delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One look at every job."""

    logins: float
    statements: float
    statement_seconds: float
    """Of the server: from a statement's arrival to its answer."""
    looks: float
    """At jobs, by the server's account."""
    seconds: float
    cpu_seconds: float
    delay: Delay | None = None
    """None without an event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How one contender waited for so many jobs."""

    contender: str
    jobs: int
    rounds: tuple[Round, ...]
    logins: int
    """In all rounds."""
    idle: Delay | None = None
    """Of the event loop, before anybody waited."""
    memory: int | None = None
    """Bytes that are resident after the last round, and were not before the first."""
    threads: int | None = None
    """The most at once, beside the main one."""
    is_extrapolated: bool = False

    @property
    def first(self) -> Round:
        return self.rounds[0]

    @property
    def typical(self) -> Round:
        """Of the rounds after the first, if any, the one of median length."""
        rounds = sorted(self.rounds[1:] or self.rounds, key=lambda round_: round_.seconds)
        return rounds[len(rounds) // 2]

    @classmethod
    def parse(cls, text: str) -> Self:
        fields: dict[str, Any] = json.loads(text)
        rounds = tuple(
            Round(**(fields | {"delay": _delay(fields["delay"])})) for fields in fields["rounds"]
        )
        return cls(**(fields | {"rounds": rounds, "idle": _delay(fields["idle"])}))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def _delay(fields: dict[str, float] | None) -> Delay | None:
    return Delay(**fields) if fields else None
