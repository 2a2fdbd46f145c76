"""A clock that a test moves."""

import asyncio
import time


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now
        self.slept: list[float] = []

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
