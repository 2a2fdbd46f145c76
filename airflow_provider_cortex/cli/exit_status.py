"""How a command ends: its exit status, and what it says of an error."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    ContactLostError,
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneTimeoutError,
)


class Exit(IntEnum):
    """
    Exit statuses. 0 is what was asked for; otherwise how the job stands, the same for every command.

    2 is missing: it is argparse's, for wrong usage.
    """

    DONE = 0
    NOT_DONE = 1
    ERROR = 3
    CANCELLED = 4
    MAY_RUN = 5
    SUCCESS = 6
    INTERRUPTED = 130
    """What a shell makes of Ctrl-C."""


_ERRORS: dict[type[CortexError], Exit] = {
    FineTuneFailedError: Exit.ERROR,
    FineTuneCancelledError: Exit.CANCELLED,
    FineTuneTimeoutError: Exit.MAY_RUN,
}

_CANCELS = {
    JobStatus.CANCELLED: Exit.DONE,
    JobStatus.ERROR: Exit.ERROR,
    JobStatus.SUCCESS: Exit.SUCCESS,
}


def failure(job: FineTuneJob) -> CortexError | None:
    """Return why a job that is over is none that whoever waited can use, None if it is one."""
    try:
        job.outcome()
    except CortexError as error:
        return error
    return None


def of_error(error: CortexError) -> Exit:
    """Return the exit status of a command that ends in *error*."""
    return _ERRORS.get(type(error), Exit.NOT_DONE)


def of_cancel(job: FineTuneJob) -> Exit:
    """Return the exit status of a command that was to cancel the job."""
    return _CANCELS.get(job.status, Exit.MAY_RUN)


def message(error: CortexError) -> str:
    """Return what to say of *error* to somebody in front of a terminal, who has no task to retry."""
    match error:
        case FineTuneTimeoutError():
            return (
                f"Stopped watching fine-tuning job {error.job_id} after {error.waited:.0f} s. Last known state:"
                f" {error.last_seen}. It may still be running, and costing: watch it again, or cancel it."
            )
        case ContactLostError():
            return (
                f"Lost contact with fine-tuning job {error.job_id}: no usable answer for {error.waited:.0f} s"
                f" (last: {error.reason}). Last known state: {error.last_seen}. It may still be running: watch it"
                " again."
            )
        case ConnectionNotFoundError():
            return (
                f"Airflow finds no connection {error.conn_id!r}: name one with --conn-id, or add it"
                " (airflow connections add)."
            )
    return str(error)
