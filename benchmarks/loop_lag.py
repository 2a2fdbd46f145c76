"""How late an event loop is, measured by one more task in it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

PAUSE = 0.001
"""Seconds that the measuring task sleeps each time."""


@dataclass(frozen=True, slots=True)
class Lag:
    """By how many milliseconds the event loop was late."""

    p50: float
    p99: float
    max: float


class LagProbe:
    """Measures by how much its sleeps were too long, and counts the threads."""

    def __init__(self) -> None:
        self.threads = 0
        """The largest number at the same time, without timers."""
        self._lags: list[float] = []

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            self._lags.append(time.perf_counter() - due)
            # The driver starts a timer for each statement, which only waits.
            threads = [one for one in threading.enumerate() if not isinstance(one, threading.Timer)]
            self.threads = max(self.threads, len(threads))

    async def reset(self) -> None:
        """Forget all measurements, including the current one."""
        await asyncio.sleep(10 * PAUSE)
        self._lags.clear()

    def lag(self) -> Lag:
        """Return what was measured since *reset*."""
        lags = [seconds for lag in self._lags for seconds in _spread(lag)]
        cuts = quantiles(lags, n=100, method="inclusive")
        return Lag(1e3 * cuts[49], 1e3 * cuts[98], 1e3 * max(lags))


def _spread(lag: float) -> Iterator[float]:
    """
    Yield the lag, and the lags of all sleeps that would have ended meanwhile.

    Otherwise a loop that is blocked for most of a minute would count as a single lag.
    """
    while lag > 0:
        yield lag
        lag -= PAUSE
