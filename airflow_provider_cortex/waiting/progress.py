"""What to tell of a job while it runs and when it is over, in words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus

BAR = 20
"""The width of the bar, in characters."""

HEARTBEAT = 10 * 60.0
"""Seconds after which a wait in which nothing changes says that it is still alive."""


def short_id(job_id: str) -> str:
    """Return enough of an id to recognise it: ``ft_6556…`` of ``ft_6556e15c-8f12-…``."""
    head, separator, tail = job_id.partition("_")
    return f"{head}{separator}{tail[:4]}…" if len(tail) > len("6556…") else job_id


def duration(seconds: float) -> str:
    """Return *seconds* in the unit in which a person would think of them."""
    minutes = round(seconds / 60)
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def left(progress: float | None, *, elapsed: float) -> float | None:
    """Return how many seconds a job still takes that goes on as it did, None if nobody can tell."""
    return elapsed * (1 - progress) / progress if progress else None


def times(*, elapsed: float, remaining: float | None) -> str:
    """Return how long a job has run and, if anybody can tell, how long it still takes; both are seconds."""
    told = f"{duration(elapsed)} elapsed"
    return told if remaining is None else f"{told}, about {duration(remaining)} left"


def line(job: FineTuneJob, *, elapsed: float, delay: float) -> str:
    """
    Return the line about a job that runs.

    :param elapsed: seconds since it was created.
    :param delay: seconds to the next look.
    """
    shown = f"{short_id(job.id)} {job.state}"
    if job.progress is not None:
        filled = round(job.progress * BAR)
        status, _, percent = job.state.partition(" ")
        shown = f"{short_id(job.id)} {status} {'█' * filled}{'░' * (BAR - filled)} {percent}"
    told = times(elapsed=elapsed, remaining=left(job.progress, elapsed=elapsed))
    return f"{shown}  {told}; next look in {delay:.0f} s"


def summary(job: FineTuneJob) -> str:
    """Return what a job that succeeded has to show, in one line."""
    figures = [
        f"model {job.model}",
        f"base model {job.base_model}" if job.base_model else "",
        f"{job.trained_tokens:,} tokens trained" if job.trained_tokens is not None else "",
        f"training loss {job.training_loss:.4f}" if job.training_loss is not None else "",
        f"validation loss {job.validation_loss:.4f}" if job.validation_loss is not None else "",
        f"took {duration(job.seconds)}" if job.seconds is not None else "",
    ]
    return f"{job.id} SUCCESS: {', '.join(figure for figure in figures if figure)}"


class Log(Protocol):
    """What is needed of a logger: Airflow's is not the same class in every version."""

    def info(self, message: str, /, *arguments: object) -> object:
        """Log progress."""

    def warning(self, message: str, /, *arguments: object) -> object:
        """Log what somebody should look into."""

    def error(self, message: str, /, *arguments: object) -> object:
        """Log what somebody must look into."""


@dataclass(slots=True)
class ProgressLog:
    """
    Decide when a wait has something to say: at a change, and now and then as a sign of life.

    :param started_at: when the wait began, epoch seconds: counts as the job's beginning for as
        long as Cortex does not tell it.
    """

    started_at: float
    _told: str | None = None
    _told_at: float = 0.0
    _warned_of: str | None = None

    def tell(self, job: FineTuneJob, *, delay: float, now: float, log: Log) -> None:
        """
        Log what is new about *job*, if anything is.

        :param delay: seconds to the next look.
        :param now: epoch seconds.
        """
        if job.status is JobStatus.UNKNOWN and job.reported_status != self._warned_of:
            self._warned_of = job.reported_status
            log.warning(
                "Fine-tuning job %s has the status %r, which this version of"
                " airflow-provider-cortex does not know: waiting on.",
                job.id,
                job.reported_status,
            )
        if job.state != self._told or now - self._told_at >= HEARTBEAT:
            self._told, self._told_at = job.state, now
            began = job.created_on.timestamp() if job.created_on else self.started_at
            log.info("%s", line(job, elapsed=max(0.0, now - began), delay=delay))
