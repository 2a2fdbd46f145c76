"""The logs of tasks, read while they are written. Worker and triggerer write a file each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class LogRecord:
    """One line of a task's log."""

    task: str
    writer: str
    """``worker`` or ``triggerer``."""
    time: str
    level: str
    logger: str
    text: str

    @classmethod
    def parse(cls, line: bytes, log: Path) -> Self:
        fields = json.loads(line)
        (task,) = (part for part in log.parts if part.startswith("task_id="))
        return cls(
            task=task.removeprefix("task_id="),
            writer="triggerer" if ".trigger." in log.name else "worker",
            time=fields.get("timestamp", ""),
            level=fields.get("level", ""),
            logger=fields.get("logger", ""),
            text="\n".join([str(fields.get("event")), *_errors(fields)]),
        )

    @property
    def is_interesting(self) -> bool:
        """Whether it is an error, or written by our operators, sensors or triggers."""
        ours = "airflow_provider_cortex" in self.logger and ".hooks." not in self.logger
        return ours or self.level in {"error", "critical"}

    def __str__(self) -> str:
        return f"{self.time} [{self.level}] {self.text}"


class TaskLogs:
    """
    The logs of all tasks of all runs.

    :param folder: Airflow's log folder, which need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes_read: dict[Path, int] = {}

    def new_records(self) -> Iterator[LogRecord]:
        """Yield what was written since the last call."""
        for log in sorted(self._folder.glob("dag_id=*/**/*.log")):
            with log.open("rb") as file:
                file.seek(self._bytes_read.get(log, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # still being written
                    self._bytes_read[log] = self._bytes_read.get(log, 0) + len(line)
                    yield LogRecord.parse(line, log)

    def new_texts(self) -> dict[str, str]:
        """Return the text that each task has logged since the last call, by the task's id."""
        texts: dict[str, str] = {}
        for record in self.new_records():
            texts[record.task] = texts.get(record.task, "") + record.text
        return texts


def _errors(fields: dict[str, Any]) -> list[str]:
    return [
        f"{error['exc_type']}: {error['exc_value']}" for error in fields.get("error_detail", ())
    ]
