"""Child processes: each with a log and a session of its own, and none that outlives us."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

GRACE = 5.0
"""Seconds in which a process may end in its own way."""


@dataclass(frozen=True)
class Child:
    """A process that we started; what it starts in turn is in its session."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]


class Children:
    """
    All that we started and that may still run.

    :param folder: where they run.
    :param logs: where their logs go, one for each.
    """

    def __init__(self, *, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs
        self._running: list[Child] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # So that Ctrl-C reaches us only, and that we find whatever it leaves behind.
                start_new_session=True,
            )
        child = Child(name, log, process)
        self._running.append(child)
        return child

    def ended(self) -> Child | None:
        """Return one that has ended, if any has."""
        return next((child for child in self._running if child.process.poll() is not None), None)

    def forget(self, child: Child) -> None:
        """Look no longer after one that has ended: its number may become another process's."""
        self._running.remove(child)

    def end(self) -> None:
        """End them and whatever they started: politely at first."""
        for child in self._running:
            child.process.terminate()
        patience = time.monotonic() + GRACE
        # Again and again: what is about to end may still start something.
        while processes := list(self._processes()):
            if time.monotonic() > patience:
                for process in processes:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.1)
        self._running.clear()

    def _processes(self) -> Iterator[psutil.Process]:
        """Yield what runs in our children's sessions: orphans keep theirs."""
        self.ended()  # so that none of them stays a zombie
        sessions = {child.process.pid for child in self._running}
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
