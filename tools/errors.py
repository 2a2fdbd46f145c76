"""The error that ends a command, and the log lines that it shows."""

from __future__ import annotations

from pathlib import Path

LINES = 40
"""How many lines of each log are shown."""


class ToolError(Exception):
    """
    A command cannot continue.

    :param logs: a log, or a folder of logs, whose last lines are shown with the message.
    """

    def __init__(self, message: str, logs: Path | None = None) -> None:
        super().__init__(message)
        self._logs = logs

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *self._tails()])

    def _tails(self) -> list[str]:
        if self._logs is None:
            return []
        logs = sorted(self._logs.rglob("*.log")) if self._logs.is_dir() else [self._logs]
        return [_tail(log) for log in logs]


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
    return "\n".join([f"\nThe end of {log}:", *lines])
