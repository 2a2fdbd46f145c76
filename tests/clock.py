"""A clock that a test moves, and waiting for another thread."""

import asyncio
import math
import threading
import time
from collections.abc import Callable

import pytest


class KilledError(Exception):
    """The triggerer died while a trigger slept."""


class Clock:
    """
    Time that passes only in a sleep.

    :param now: epoch seconds.
    :param dies_at: the moment from which on no sleep ends, epoch seconds.
    :param dies_after: the number of sleeps after which no sleep ends.
    """

    def __init__(
        self, now: float | None = None, *, dies_at: float = math.inf, dies_after: float = math.inf
    ) -> None:
        self.now = time.time() if now is None else now
        self.slept: list[float] = []
        self.woken: list[float] = []
        self.dies_at = dies_at
        self.dies_after = dies_after

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        if self.now >= self.dies_at or len(self.slept) > self.dies_after:
            raise KilledError
        self.woken.append(self.now)
        await asyncio.sleep(0)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do, for at most 20 s."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within 20 s")


def client_threads() -> set[str]:
    """Return the names of the clients' threads that are alive."""
    return {t.name for t in threading.enumerate() if t.name.startswith("cortex-client")}
