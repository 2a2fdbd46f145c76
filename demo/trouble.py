"""What may go wrong, and where to read more about it."""

from __future__ import annotations

from pathlib import Path

LINES = 40


class Trouble(Exception):  # noqa: N818 - also a Ctrl-C elsewhere is no error of ours
    """
    The demo cannot go on.

    :param logs: a log, or a folder of them, that tells more.
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
