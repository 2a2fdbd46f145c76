"""``python -m benchmarks.account``: an emulated Cortex in a process of its own, and what happens in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life
from benchmarks.emulator import Cortex, behind_a_network


class Account:
    """What others than the waiting process do to the account: each call is a line there, and one back."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.cortex = Cortex(**self._answer())

    def add(self, lives: Sequence[float]) -> list[str]:
        """Start a job for each of *lives*, seconds; return their ids."""
        ids: list[str] = self._ask("add", *lives)
        return ids

    def fail(self, job_id: str) -> None:
        """End the job in ERROR."""
        self._ask("fail", job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel the job."""
        self._ask("cancel", job_id)

    def strike(self, kind: str, **arguments: object) -> None:
        """Let something go wrong, as ``Emulator.faults`` knows it."""
        self._ask("strike", kind, arguments)

    def counts(self) -> dict[str, int]:
        """Return the logins and statements so far, and the sessions that are open."""
        counts: dict[str, int] = self._ask("counts")
        return counts

    def _ask(self, *words: object) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - for mypy
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the emulator is gone")
        return json.loads(line)


@contextmanager
def opened(folder: str) -> Iterator[Account]:
    """Run an emulator; it ends when its input does, so it cannot outlive us."""
    command = [sys.executable, "-m", "benchmarks.account", folder]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Account(process)


def main() -> None:
    folder = Path(sys.argv[1])
    with behind_a_network(folder) as (emulator, place):
        _tell(place)
        deeds = _deeds(emulator)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            _tell(json.dumps(deeds[name](*arguments)))


def _deeds(emulator: Emulator) -> dict[str, Callable[..., object]]:
    jobs = emulator.jobs

    def add(*lives: float) -> list[str]:
        return [jobs.add(model="DB.S.MODEL", life=Life.by_time(life)).id for life in lives]

    def strike(kind: str, arguments: dict[str, Any]) -> None:
        emulator.faults.add(kind, **arguments)

    def counts() -> dict[str, int]:
        return {
            "logins": emulator.logins,
            "statements": len(emulator.statements),
            "sessions": emulator.open_sessions,
        }

    return {
        "add": add,
        "fail": jobs.fail,
        "cancel": jobs.cancel,
        "strike": strike,
        "counts": counts,
    }


def _tell(answer: str) -> None:
    print(answer, flush=True)  # noqa: T201 - to who started us


if __name__ == "__main__":
    main()
