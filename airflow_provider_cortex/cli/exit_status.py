"""How a command ends: its exit status, and its error message."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import (
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneTimeoutError,
)


class ExitStatus(IntEnum):
    """
    The exit statuses. 0 means that the command did what was asked.
    The others have the same meaning for all commands.

    2 is missing: argparse uses it for wrong usage.
    """

    DONE = 0
    NOT_DONE = 1
    ERROR = 3
    CANCELLED = 4
    MAY_RUN = 5
    SUCCESS = 6
    INTERRUPTED = 130
    """What a shell reports for Ctrl-C."""


_BY_ERROR: dict[type[CortexError], ExitStatus] = {
    FineTuneFailedError: ExitStatus.ERROR,
    FineTuneCancelledError: ExitStatus.CANCELLED,
    FineTuneTimeoutError: ExitStatus.MAY_RUN,
}

_BY_STATUS_AFTER_CANCEL = {
    JobStatus.CANCELLED: ExitStatus.DONE,
    JobStatus.ERROR: ExitStatus.ERROR,
    JobStatus.SUCCESS: ExitStatus.SUCCESS,
}


def error_of(job: FineTuneJob) -> CortexError | None:
    """Return why a finished job has no usable model, or None if it has one."""
    try:
        job.outcome()
    except CortexError as error:
        return error
    return None


def after_error(error: CortexError) -> ExitStatus:
    """Return the exit status of a command that ends in *error*."""
    return _BY_ERROR.get(type(error), ExitStatus.NOT_DONE)


def after_cancel(job: FineTuneJob) -> ExitStatus:
    """Return the exit status of a command that cancelled *job*."""
    return _BY_STATUS_AFTER_CANCEL.get(job.status, ExitStatus.MAY_RUN)
