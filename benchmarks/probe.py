"""How late an event loop is, seen from one more task in it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

PAUSE = 0.001
"""Seconds that the probe sleeps, again and again."""


@dataclass(frozen=True, slots=True)
class Delay:
    """By how many milliseconds whatever was due at any moment was late."""

    p50: float
    p99: float
    max: float


class Probe:
    """Notes by how much its sleep was too long, and how many threads there are."""

    def __init__(self) -> None:
        self.threads = 0
        self._delays: list[float] = []

    async def run(self) -> None:
        while True:
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            self._delays.append(time.perf_counter() - due)
            self.threads = max(self.threads, threading.active_count())

    async def begin(self) -> None:
        """Forget what was, and what is going on right now."""
        await asyncio.sleep(10 * PAUSE)
        self._delays.clear()

    def delay(self) -> Delay:
        """Return what was since *begin*."""
        late = [seconds for delay in self._delays for seconds in _spread(delay)]
        cuts = quantiles(late, n=100, method="inclusive")
        return Delay(1e3 * cuts[49], 1e3 * cuts[98], 1e3 * max(late))


def _spread(delay: float) -> Iterator[float]:
    """
    Yield by how much the probe was late, and would have been had it tried again in the meantime.

    Else a loop that is blocked for most of a minute had but one delay in it.
    """
    while delay > 0:
        yield delay
        delay -= PAUSE
