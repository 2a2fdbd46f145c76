"""A clock that a test moves, and patience with what another thread does."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now
        self.slept: list[float] = []
        self.woken: list[float] = []

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        self.woken.append(self.now)
        await asyncio.sleep(0)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do, for 20 s at most."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come about")


def client_threads() -> set[str]:
    """Return the names of the clients' threads that are alive."""
    return {t.name for t in threading.enumerate() if t.name.startswith("cortex-client")}
