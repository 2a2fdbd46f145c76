"""What a task's log shows of a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.safe_text import for_log

BAR_WIDTH = 20
"""Characters."""

HEARTBEAT_SECONDS = 10 * 60.0
"""After so long without a change a wait logs that it still goes on."""

MINUTE, HOUR = 60, 60 * 60


class Log(Protocol):
    """The part of a logger that this package uses: Airflow's class differs between versions."""

    def info(self, message: str, /, *arguments: object) -> object:
        """Log progress."""

    def warning(self, message: str, /, *arguments: object) -> object:
        """Log what a user should look into."""

    def error(self, message: str, /, *arguments: object) -> object:
        """Log what a user must look into."""


def short_id(job_id: str) -> str:
    """Return enough of an id to recognise it: ``ft_6556…`` of ``ft_6556e15c-8f12-…``."""
    head, separator, tail = job_id.partition("_")
    return f"{head}{separator}{tail[:4]}…" if len(tail) > len("6556…") else job_id


def duration(seconds: float) -> str:
    """Return a duration as a person would say it: ``45 s``, ``12 min``, ``1 h 5 min``."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / MINUTE)
    if minutes * MINUTE < HOUR:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def times(*, elapsed: float, remaining: float | None) -> str:
    """Return how long a job has run and, if known, how long it will still take, from seconds."""
    text = f"{duration(elapsed)} elapsed"
    return text if remaining is None else f"{text}, about {duration(remaining)} left"


def line(job: FineTuneJob, *, elapsed: float, delay: float) -> str:
    """
    Return the line about a running job.

    :param elapsed: seconds since it was created.
    :param delay: seconds to the next poll.
    """
    progress = job.progress
    remaining = elapsed * (1 - progress) / progress if progress else None
    bar = ""
    if progress is not None:
        filled = round(progress * BAR_WIDTH)
        bar = f" {'█' * filled}{'░' * (BAR_WIDTH - filled)} {progress * 100:.0f} %"
    timing = times(elapsed=elapsed, remaining=remaining)
    name = for_log(f"{short_id(job.id)} {job.status_text}")
    return f"{name}{bar}  {timing}; next poll in {delay:.0f} s"


def summary(job: FineTuneJob) -> str:
    """Return the line about a job that succeeded."""
    figures = [f"model {job.model}"]
    if job.base_model:
        figures.append(f"base model {job.base_model}")
    if job.trained_tokens is not None:
        figures.append(f"{job.trained_tokens:,} tokens trained")
    losses = {"training loss": job.training_loss, "validation loss": job.validation_loss}
    figures += [f"{name} {loss:.4f}" for name, loss in losses.items() if loss is not None]
    if (took := job.seconds) is not None:
        figures.append(f"took {duration(took)}")
    return for_log(f"{job.id} SUCCESS: {', '.join(figures)}")


@dataclass(kw_only=True)
class _PollLog:
    log: Log

    def failed(self, error: CortexError, *, delay: float) -> None:
        """Log the error of a poll, and the seconds to the next one."""
        self.log.warning("%s; next poll in %.0f s", str(error).rstrip("."), delay)


class FailureLog(_PollLog):
    """Log the failed polls of a wait, and nothing else."""

    def answered(self, answer: object, *, delay: float) -> None:
        """Log nothing."""


@dataclass(kw_only=True)
class ProgressLog(_PollLog):
    """
    Log the wait for a job: at each change, and regularly as a sign of life.

    :param started_at: when the wait began, epoch seconds: the job's creation, until Cortex reports
        it.
    :param clock: returns the time, epoch seconds.
    """

    started_at: float
    clock: Callable[[], float]
    _logged: str | None = field(default=None, init=False)
    _logged_at: float = field(default=0.0, init=False)
    _warned_of: str | None = field(default=None, init=False)

    def answered(self, answer: FineTuneJob, *, delay: float) -> None:
        """Log what is new about a running job, and the seconds to the next poll."""
        job, now = answer, self.clock()
        if job.is_finished:
            return
        if job.status is JobStatus.UNKNOWN and job.reported_status != self._warned_of:
            self._warned_of = job.reported_status
            self.log.warning(
                "Fine-tuning job %s has the status %s, which this version of airflow-provider-cortex"
                " does not know: the wait goes on.",
                for_log(job.id),
                for_log(repr(job.reported_status)),
            )
        state = job.state
        if state != self._logged or now - self._logged_at >= HEARTBEAT_SECONDS:
            self._logged, self._logged_at = state, now
            began = job.created_on.timestamp() if job.created_on else self.started_at
            self.log.info("%s", line(job, elapsed=max(0.0, now - began), delay=delay))
