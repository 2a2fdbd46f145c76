"""Rounds of looking at jobs: all who wait wake at once, as they do when due times coincide."""

from __future__ import annotations

import asyncio
import time


class Rounds:
    """
    A trigger's clock. Who sleeps by it wakes when the next round begins, however long that was to be.

    :param sleepers: how many triggers go by it.
    """

    def __init__(self, sleepers: int) -> None:
        self._sleepers = sleepers
        self._asleep = 0
        self._skipped = 0.0
        self._longest = 0.0
        self._all_asleep = asyncio.Event()
        self._begin = asyncio.Event()

    def time(self) -> float:
        """Return the time, epoch seconds: what is slept has passed at once."""
        return time.time() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Return when the next round begins."""
        self._longest = max(self._longest, seconds)
        self._asleep += 1
        if self._asleep == self._sleepers:
            self._all_asleep.set()
        await self._begin.wait()

    async def over(self) -> None:
        """Return when all are asleep."""
        await self._all_asleep.wait()

    async def next(self) -> None:
        """Wake all, and return when they are asleep again."""
        self._skipped += self._longest
        self._longest = 0.0
        self._asleep = 0
        self._all_asleep.clear()
        begin, self._begin = self._begin, asyncio.Event()
        begin.set()
        await self.over()
