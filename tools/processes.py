"""Child processes: each has a log and a session of its own, and all of them can be stopped."""

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

GRACE_SECONDS = 5.0
"""How long processes may take to end after the stop signal. Then they are killed."""


@dataclass(frozen=True)
class ChildProcess:
    """A process that we started. What it starts itself belongs to its session."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals


class ChildProcesses:
    """
    All processes that we started and that may still be running.

    :param cwd: their working directory.
    :param logs: the folder for their logs.
    """

    def __init__(self, *, cwd: Path, logs: Path) -> None:
        self._cwd = cwd
        self._logs = logs
        self._running: list[ChildProcess] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> ChildProcess:
        """
        Start a process. It appends to the log of an earlier process with the same *name*.

        :param user: the user that the process runs as; by default ours.
        :param stop_signal: the signal that asks the process to end.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=self._cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                # Ctrl-C then reaches only us, and we can find every process that it leaves behind.
                start_new_session=True,
            )
        child = ChildProcess(name, log, process, stop_signal)
        self._running.append(child)
        return child

    def find_ended(self) -> ChildProcess | None:
        """Return a process that has ended, or None if all are running."""
        return next((child for child in self._running if child.process.poll() is not None), None)

    def forget(self, child: ChildProcess) -> None:
        """Stop tracking an ended process: the system may reuse its process id."""
        self._running.remove(child)

    def kill(self, child: ChildProcess) -> int:
        """Kill a process and its descendants, as a power failure would; return their number."""
        killed = set()
        while processes := list(self._all_processes([child])):
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                killed.add(process.pid)
            time.sleep(0.05)
        self.forget(child)
        return len(killed)

    def pause(self, child: ChildProcess) -> None:
        """Suspend a process and its descendants, like an overloaded machine."""
        for process in self._all_processes([child]):
            process.suspend()

    def resume(self, child: ChildProcess) -> None:
        """Let a suspended process and its descendants continue."""
        for process in self._all_processes([child]):
            process.resume()

    def stop_all(self) -> None:
        """Stop all processes and their descendants."""
        self.stop(list(self._running))

    def stop(self, children: Sequence[ChildProcess]) -> None:
        """Send the stop signal to *children*; kill what still runs after the grace period."""
        for child in children:
            child.process.send_signal(child.stop_signal)
        kill_at = time.monotonic() + GRACE_SECONDS
        # Repeat it: a process may start another one before it ends.
        while processes := list(self._all_processes(children)):
            if time.monotonic() > kill_at:
                for process in processes:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.1)
        for child in children:
            child.process.wait()
            self.forget(child)

    def _all_processes(self, children: Sequence[ChildProcess]) -> Iterator[psutil.Process]:
        """Yield all processes in the sessions of *children*, and the children of each."""
        self.find_ended()  # reaps zombies
        sessions = {child.process.pid for child in children}
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    # PostgreSQL starts each of its processes in a new session.
                    yield from process.children()
                    yield process
