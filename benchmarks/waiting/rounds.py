"""Rounds of polls: all triggers wake at the same moment, as they do when due times coincide."""

from __future__ import annotations

import asyncio
import time


class Rounds:
    """
    A clock for triggers. A trigger that sleeps wakes at the next round, whatever it asked for.

    :param triggers: how many triggers use this clock.
    """

    def __init__(self, triggers: int) -> None:
        self._triggers = triggers
        self._asleep = 0
        self._skipped = 0.0
        self._longest = 0.0
        self._all_asleep = asyncio.Event()
        self._begin = asyncio.Event()

    def time(self) -> float:
        """Return the time in epoch seconds, as if all sleeps had taken their full time."""
        return time.time() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Return when the next round begins."""
        self._longest = max(self._longest, seconds)
        self._asleep += 1
        if self._asleep == self._triggers:
            self._all_asleep.set()
        await self._begin.wait()

    async def wait_for_end(self) -> None:
        """Return when all triggers sleep."""
        await self._all_asleep.wait()

    async def run_next(self) -> None:
        """Wake all triggers, and return when all of them sleep again."""
        self.begin_next()
        await self.wait_for_end()

    def begin_next(self) -> None:
        """Wake all triggers that sleep."""
        self._skipped += self._longest
        self._longest = 0.0
        self._asleep = 0
        self._all_asleep.clear()
        begin, self._begin = self._begin, asyncio.Event()
        begin.set()
