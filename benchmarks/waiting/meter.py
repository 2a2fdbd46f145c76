"""What a round costs: in this process, and at the server."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from benchmarks.loop_lag import Lag
from benchmarks.waiting.measurement import Round

COUNTS = {
    "logins": "logins",
    "statements": "statements",
    "statement_seconds": "statement_seconds",
    "polls": "looks",
}
"""The fields of a round, and the server's names for them."""


class Meter:
    """
    Measures one round: what it costs here, and what the server counts meanwhile.

    :param url: where the emulator answers questions about itself.
    :param overhead: CPU seconds per second that measuring itself takes.
    """

    def __init__(self, url: str, *, overhead: float = 0.0) -> None:
        self._url = url
        self._overhead = overhead
        self._counts_before = self._read_counts()
        self._cpu = self._seconds = 0.0

    def start(self) -> None:
        self._cpu -= time.process_time()
        self._seconds -= time.perf_counter()

    def stop(self) -> None:
        self._seconds += time.perf_counter()
        self._cpu += time.process_time()

    def round(self, lag: Lag | None = None) -> Round:
        """Return what was measured between *start* and *stop*."""
        now = self._read_counts()
        counts = {name: count - self._counts_before[name] for name, count in now.items()}
        cpu_seconds = self._cpu - self._overhead * self._seconds
        return Round(seconds=self._seconds, cpu_seconds=cpu_seconds, lag=lag, **counts)

    def _read_counts(self) -> dict[str, float]:
        counts = ask_emulator(f"{self._url}/counts")
        return {ours: counts[name] for ours, name in COUNTS.items()}


def ask_emulator(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return the emulator's answer about itself; with a body, change something first."""
    request = urllib.request.Request(  # noqa: S310 - ours
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, context=ssl.create_default_context()) as answer:  # noqa: S310
        return json.load(answer)
