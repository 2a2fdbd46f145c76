"""What somebody sees who watches a job: a live bar in a terminal, lines where there is none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from airflow_provider_cortex.cli.output import Messages
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.waiting.progress import (
    ProgressLog,
    short_id,
    times,
)


def display(console: Console, *, job_id: str, clock: Callable[[], float]) -> Display:
    """Return what suits the console."""
    if console.is_interactive:
        return Bar(job_id=job_id, console=console, clock=clock)
    return Display(console=console, clock=clock)


@dataclass(kw_only=True)
class Display(AbstractContextManager["Display"]):
    """
    What shows a wait, for as long as its context lasts.

    A line at each change, and now and then as a sign of life: those of the sensor's log.
    """

    console: Console
    clock: Callable[[], float]
    _messages: Messages = field(init=False)

    def __post_init__(self) -> None:
        self._messages = Messages(self.console)
        self._narrator = ProgressLog(self.clock())

    def __exit__(self, *_: object) -> None:
        """Leave everything as it is."""

    def see(self, job: FineTuneJob, *, delay: float) -> None:
        """Show what a look has found; *delay* is the seconds to the next one, 0 if there is none."""
        if not job.is_finished:
            self._narrator.tell(job, delay=delay, now=self.clock(), log=self._messages)

    def miss(self, error: CortexError, *, delay: float) -> None:
        """Show that a look brought no answer."""
        self._messages.warning("%s; next look in %.0f s", error, delay)

    def tick(self, *, left: float) -> None:
        """Show that time passes; *left* is the seconds to the next look."""


class Warnings(Messages):
    """What has to be said although a bar tells the rest."""

    def info(self, message: str, /, *arguments: object) -> None:
        """Say nothing."""


@dataclass(kw_only=True)
class Bar(Display):
    """
    A bar that is as long as the progress Cortex reported last, and above it what has to be said.

    Between two looks only times move.
    """

    job_id: str
    _job: FineTuneJob | None = None
    _ends_at: float | None = None
    """When the job will be over if it goes on as it did, epoch seconds."""
    _task: TaskID = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._messages = Warnings(self.console)
        self._began = self.clock()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            console=self.console,
            auto_refresh=False,  # time passes by tick alone
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(short_id(self.job_id), total=1.0, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def see(self, job: FineTuneJob, *, delay: float) -> None:
        """Draw the bar as the job is now."""
        now = self.clock()
        left = job.seconds_left(now=now)
        self._job, self._ends_at = job, None if left is None else now + left
        if job.created_on:
            self._began = job.created_on.timestamp()
        super().see(job, delay=delay)
        self._draw(f"; next look in {delay:.0f} s" if delay else "")

    def tick(self, *, left: float) -> None:
        """Let the times move."""
        self._draw(f"; next look in {left:.0f} s")

    def _draw(self, end: str) -> None:
        job, now = self._job, self.clock()
        remaining = None if self._ends_at is None else max(0.0, self._ends_at - now)
        told = times(elapsed=max(0.0, now - self._began), remaining=remaining)
        if job is not None and job.progress is not None:
            told = f"{job.progress * 100:.0f} %  {told}"
        self._progress.update(
            self._task,
            description=f"{short_id(self.job_id)} {job.status_text if job else ''}".strip(),
            completed=job.progress or 0.0 if job else 0.0,
            told=told + end,
            refresh=True,
        )
