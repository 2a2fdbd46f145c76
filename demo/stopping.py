"""
Ctrl-C and its like: noted when they come, acted on where we wait.

An exception out of a signal handler could strike between the start of a process and our taking note of
it, or in the midst of ending them.
"""

from __future__ import annotations

import signal
import time

_received: list[signal.Signals] = []


class Stopped(Exception):  # noqa: N818 - no error
    """Somebody wants us to stop."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"Stopped by {number.name}: ending every process.")
        self.exit_status = 128 + number


def note_signals() -> None:
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, _frame: _received.append(signal.Signals(number)))


def pause(seconds: float) -> None:
    """
    Wait a moment.

    :raises Stopped: if we are to stop.
    """
    time.sleep(seconds)
    if _received:
        raise Stopped(_received[0])
