"""What is measured of a contender. One process writes it as JSON, another one reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.loop_lag import Lag
from benchmarks.waiting.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One poll of every job."""

    logins: float
    statements: float
    statement_seconds: float
    """The server's time, from the arrival of each statement to its answer."""
    polls: float
    """Of jobs, as the server counts them."""
    seconds: float
    cpu_seconds: float
    lag: Lag | None = None
    """None without an event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One contender that waits for a number of jobs."""

    case: Case
    rounds: tuple[Round, ...]
    logins: int
    """In all rounds."""
    idle: Lag | None = None
    """The event loop's, before any wait."""
    memory: int | None = None
    """By how many bytes the resident memory grew from before the first round to after the last."""
    threads: int | None = None
    """The largest number at the same time, without the main thread."""
    is_extrapolated: bool = False

    @property
    def first(self) -> Round:
        return self.rounds[0]

    @property
    def typical(self) -> Round:
        """The round of median length, of those after the first if there are any."""
        rounds = sorted(self.rounds[1:] or self.rounds, key=lambda round_: round_.seconds)
        return rounds[len(rounds) // 2]

    @classmethod
    def parse(cls, text: str) -> Self:
        fields: dict[str, Any] = json.loads(text)
        rounds = tuple(
            Round(**(fields | {"lag": _parse_lag(fields["lag"])})) for fields in fields["rounds"]
        )
        case = Case(**fields["case"])
        idle = _parse_lag(fields["idle"])
        return cls(**(fields | {"case": case, "rounds": rounds, "idle": idle}))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def _parse_lag(fields: dict[str, float] | None) -> Lag | None:
    return Lag(**fields) if fields else None
