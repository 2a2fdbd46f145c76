"""
Ctrl-C and other requests to stop: recorded when they arrive, raised only while we sleep.

An exception raised by a signal handler could arrive after a process has started and before we have
recorded it, or while we are stopping processes.
"""

from __future__ import annotations

import signal
import time

_received: list[signal.Signals] = []


class Interrupted(Exception):  # noqa: N818 - the user's wish, not an error
    """The user, or the system, asked this command to stop."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"Received {number.name}: stopping all processes.")
        self.exit_status = 128 + number


def record_signals() -> None:
    """Record SIGINT, SIGTERM and SIGHUP from now on, instead of reacting at once."""
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, _frame: _received.append(signal.Signals(number)))


def sleep(seconds: float) -> None:
    """
    Sleep for *seconds*.

    :raises Interrupted: if a signal has been recorded.
    """
    time.sleep(seconds)
    if _received:
        raise Interrupted(_received[0])
