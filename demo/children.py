"""Child processes: each with a log and a session of its own, and none that outlives us."""

from __future__ import annotations

import os
import signal
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
    farewell: signal.Signals
    """What asks it to end in its own way."""


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

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: str | None = None,
        farewell: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """
        Start one; its log goes on where an earlier one of this *name* left it.

        :param user: whose process it is to be, if not ours.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                # So that Ctrl-C reaches us only, and that we find whatever it leaves behind.
                start_new_session=True,
            )
        child = Child(name, log, process, farewell)
        self._running.append(child)
        return child

    def ended(self) -> Child | None:
        """Return one that has ended, if any has."""
        return next((child for child in self._running if child.process.poll() is not None), None)

    def forget(self, child: Child) -> None:
        """Look no longer after one that has ended: its number may become another process's."""
        self._running.remove(child)

    def kill(self, child: Child) -> int:
        """End one and all that it started at once, as a machine's death does; return how many."""
        killed = set()
        while processes := list(self._processes([child])):
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                killed.add(process.pid)
            time.sleep(0.05)
        self.forget(child)
        return len(killed)

    def pause(self, child: Child) -> None:
        """Let one and all that it started stand still, as a machine does that has too much to do."""
        for process in self._processes([child]):
            process.suspend()

    def resume(self, child: Child) -> None:
        """Let one that stands still go on."""
        for process in self._processes([child]):
            process.resume()

    def end(self) -> None:
        """End them and whatever they started: politely at first."""
        self.end_some(list(self._running))

    def end_some(self, children: Sequence[Child]) -> None:
        """End these, as *end* does."""
        for child in children:
            child.process.send_signal(child.farewell)
        patience = time.monotonic() + GRACE
        # Again and again: what is about to end may still start something.
        while processes := list(self._processes(children)):
            if time.monotonic() > patience:
                for process in processes:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.1)
        for child in children:
            child.process.wait()
            self.forget(child)

    def _processes(self, children: Sequence[Child]) -> Iterator[psutil.Process]:
        """Yield what runs in these children's sessions, where orphans stay, and what that started."""
        self.ended()  # so that none of them stays a zombie
        sessions = {child.process.pid for child in children}
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    # PostgreSQL gives each of its processes a session.
                    yield from process.children()
                    yield process
