"""What a round costs: in this process, and at the server."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from typing import Any

from benchmarks.probe import Delay
from benchmarks.record import Round

COUNTS = ("logins", "statements", "statement_seconds", "looks")
"""The server's counts that a round has. It counts other things, too."""


class Meter:
    """
    Measures a round: what it costs here, and what the server counts meanwhile.

    :param url: the emulator's.
    :param own: seconds of CPU that the measuring itself takes, per second.
    """

    def __init__(self, url: str, *, own: float = 0.0) -> None:
        self._url = url
        self._own = own
        self._before = self._counts()
        self._cpu = self._seconds = 0.0

    def start(self) -> None:
        self._cpu -= time.process_time()
        self._seconds -= time.perf_counter()

    def stop(self) -> None:
        self._seconds += time.perf_counter()
        self._cpu += time.process_time()

    def round(self, delay: Delay | None = None) -> Round:
        """Return what was measured between *start* and *stop*."""
        counts = {name: now - self._before[name] for name, now in self._counts().items()}
        cpu_seconds = self._cpu - self._own * self._seconds
        return Round(seconds=self._seconds, cpu_seconds=cpu_seconds, delay=delay, **counts)

    def _counts(self) -> dict[str, float]:
        told = ask(f"{self._url}/counts")
        return {name: told[name] for name in COUNTS}


def ask(url: str) -> Any:
    """Return the emulator's answer."""
    with urllib.request.urlopen(url, context=ssl.create_default_context()) as answer:  # noqa: S310 - ours
        return json.load(answer)
