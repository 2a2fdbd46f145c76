"""
``python -m benchmarks.emulator_process``: an emulator in a process of its own.

It adds a network's delays. Each command is a line of JSON on its standard input, and each answer a
line on its standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life
from tools.environment import clean_environment
from tools.output import print_line

LOGIN_DELAY = 0.5
STATEMENT_DELAY = 0.15
"""Seconds, as over a network."""


class EmulatorProcess:
    """The emulator, seen from the process that started it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        address = self._read_answer()
        self.url: str = address["url"]
        """Where it answers questions about itself."""
        self._environment: dict[str, str] = address["environment"]

    @property
    def connection(self) -> str:
        """The Airflow connection to it, as JSON."""
        return self._environment["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"]

    def environment(self, folder: str) -> dict[str, str]:
        """
        Return the environment of a process that waits for this emulator's jobs.

        :param folder: where that process keeps its files.
        """
        return clean_environment(home=folder) | {"AIRFLOW_HOME": folder} | self._environment

    def add_jobs(self, durations: Sequence[float]) -> list[str]:
        """Start a job for each duration in seconds; return the jobs' ids."""
        ids: list[str] = self._call("add_jobs", *durations)
        return ids

    def add_endless_jobs(self, count: int) -> list[str]:
        """Start jobs that never end; return their ids."""
        ids: list[str] = self._call("add_endless_jobs", count)
        return ids

    def fail(self, job_id: str) -> None:
        """End the job in ERROR."""
        self._call("fail", job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel the job."""
        self._call("cancel", job_id)

    def add_fault(self, kind: str, **arguments: object) -> None:
        """Add a fault, as ``Emulator.faults.add`` does."""
        self._call("add_fault", kind, arguments)

    def counts(self) -> dict[str, int]:
        """Return the number of logins and statements so far, and of open sessions."""
        counts: dict[str, int] = self._call("counts")
        return counts

    def _call(self, command: str, *arguments: object) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - for mypy
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._read_answer()

    def _read_answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the emulator's process has ended")
        return json.loads(line)


@contextmanager
def emulator_process(*, tls: bool = True) -> Iterator[EmulatorProcess]:
    """
    Run an emulator in another process. It ends with its standard input, so it cannot outlive us.

    :param tls: whether it speaks HTTPS. A process can trust the certificate of one emulator only.
    """
    command = [sys.executable, "-m", "benchmarks.emulator_process", *([] if tls else ["--no-tls"])]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield EmulatorProcess(process)


def main() -> None:
    tls = "--no-tls" not in sys.argv
    with Emulator(tls=tls, login_delay=LOGIN_DELAY, statement_delay=STATEMENT_DELAY) as emulator:
        address = {"url": f"{emulator.url}/emulator", "environment": emulator.environment}
        print_line(json.dumps(address))
        commands = _commands(emulator)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            print_line(json.dumps(commands[name](*arguments)))


def _commands(emulator: Emulator) -> dict[str, Callable[..., object]]:
    jobs = emulator.jobs

    def add_jobs(*durations: float) -> list[str]:
        return [
            jobs.add(model="DB.S.MODEL", life=Life.by_time(duration)).id for duration in durations
        ]

    def add_endless_jobs(count: int) -> list[str]:
        ids = [jobs.add(model=f"DB.S.MODEL_{number}").id for number in range(count)]
        for job_id in ids:
            jobs.stall(job_id)
        return ids

    def add_fault(kind: str, arguments: dict[str, Any]) -> None:
        emulator.faults.add(kind, **arguments)

    def counts() -> dict[str, int]:
        return {
            "logins": emulator.logins,
            "statements": len(emulator.statements),
            "sessions": emulator.open_sessions,
        }

    return {
        "add_jobs": add_jobs,
        "add_endless_jobs": add_endless_jobs,
        "fail": jobs.fail,
        "cancel": jobs.cancel,
        "add_fault": add_fault,
        "counts": counts,
    }


if __name__ == "__main__":
    main()
