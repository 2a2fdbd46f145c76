"""The moments between the end of a job and the next task, in epoch seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from airflow_provider_cortex.emulator import Emulator
from benchmarks.latency.plan import PlannedRun
from tools.rest_api import DagRun
from tools.task_logs import TaskLogs

MARK = "latency "
"""How the log lines begin that dags/latency.py writes."""

RESOLUTION = 0.02
"""Seconds between two readings of the emulator's statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What happened in a run, as far as it can be seen from outside, in this order if deferred."""

    contender: str
    job_ended: float
    polled: float | None
    """When Snowflake executed the poll that saw the end; None without polls."""
    scheduled: float
    """When the task was scheduled last: a trigger's event is written at the same time."""
    queued: float
    """When the scheduler passed it to the executor."""
    resumed: float
    """When its last process reached the first line that is not Airflow's."""
    executed: float
    """When it reached the last one."""
    done: float
    """When the task ended, as Airflow's database says."""
    next_scheduled: float
    next_queued: float
    next_started: float
    """When the next task's process reported to Airflow."""
    next_began: float
    """When that reached its first line."""
    modules: int
    """How many modules the waiting task's last process loaded between its first and last line."""
    has_driver: bool
    """Whether that process had loaded Snowflake's driver."""


class PollTimes:
    """When an emulator, which runs in this process, has executed each statement."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._executed: list[tuple[float, str]] = []
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def first(self, job_id: str, *, since: float) -> float | None:
        """Return when a job was polled first after a moment."""
        return next((at for at, sql in self._executed if at >= since and job_id in sql), None)

    def _watch(self) -> None:
        while not self._stop.wait(RESOLUTION):
            now, known = time.time(), len(self._executed)
            self._executed += [(now, one.sql) for one in self._emulator.statements[known:]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that a task has logged about itself."""

    at: float
    modules: int
    driver: bool


Marks = Mapping[tuple[str, str, str, str], Mark]
"""The last mark of each kind, by DAG, run, task and kind."""


def read_marks(logs: Path) -> Marks:
    """Return what all tasks have logged about themselves."""
    return dict(_marks(logs))


def _marks(logs: Path) -> Iterator[tuple[tuple[str, str, str, str], Mark]]:
    for record in TaskLogs(logs).new_records():
        if record.text.startswith(MARK):
            fields = json.loads(record.text.removeprefix(MARK))
            name = fields.pop("dag"), fields.pop("run"), record.task, fields.pop("kind")
            yield name, Mark(at=_seconds(record.time), **fields)


def read_moments(
    planned: PlannedRun, run: DagRun, marks: Marks, *, ended: float, polled: float | None
) -> Moments:
    """Return the moments of a run that has finished."""
    tasks: dict[str, dict[str, Any]] = {task["task_id"]: task for task in run.task_instances()}
    wait, following = tasks["wait"], tasks["next"]
    this_run = planned.contender, planned.run_id
    begin, end = marks[*this_run, "wait", "begin"], marks[*this_run, "wait", "end"]
    return Moments(
        contender=planned.contender,
        job_ended=ended,
        polled=polled,
        scheduled=_seconds(wait["scheduled_when"]),
        queued=_seconds(wait["queued_when"]),
        resumed=begin.at,
        executed=end.at,
        done=_seconds(wait["end_date"]),
        next_scheduled=_seconds(following["scheduled_when"]),
        next_queued=_seconds(following["queued_when"]),
        next_started=_seconds(following["start_date"]),
        next_began=marks[*this_run, "next", "begin"].at,
        modules=end.modules - begin.modules,
        has_driver=end.driver,
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
