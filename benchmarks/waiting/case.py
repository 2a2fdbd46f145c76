"""What a contender is to do. One process writes it as JSON, another one reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self

Hang = Literal["login", "statement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Waits of one contender."""

    contender: str
    waits: int
    """For each connection."""
    rounds: int
    connections: int = 1
    hanging: int = 0
    """How many of the connections hang for ever: the first ones."""
    hang_at: Hang = "login"
    """From the first login on, or from the statements of the second round on."""

    @property
    def jobs(self) -> int:
        """All waits, each for a job of its own, without those that hang."""
        return (self.connections - self.hanging) * self.waits

    @property
    def name(self) -> str:
        """The connections and waits in words."""
        name = f"{self.connections} × {self.waits:,}"
        if not self.hanging:
            return name
        since = "" if self.hang_at == "login" else " since the second round"
        return f"{name}, {self.hanging} hang{since}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what :meth:`__str__` wrote."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def conn_id(number: int) -> str:
    """Return the id of the Airflow connection with a number."""
    return f"team_{number}"
