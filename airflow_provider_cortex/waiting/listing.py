"""All the jobs of an account: one SHOW, and a few statements that describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import RejectedError, UnreadableAnswerError
from airflow_provider_cortex.waiting.poller import TRANSIENT_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_cortex.cortex.job_list import JobList
    from airflow_provider_cortex.hooks import CortexHook


def look(hook: CortexHook, overview: JobList) -> None:
    """
    Look once at all jobs of an account, and have *overview* take note of it.

    :raises CortexError: as the hook does. What cannot be told of some of the jobs is no error.
    """
    show(hook, overview)
    describe(hook, overview)


def show(hook: CortexHook, overview: JobList) -> None:
    """Begin a look: find out which jobs there are. What is no job among them is left out."""
    overview.show(hook.show(skip_unreadable=True))


def describe(hook: CortexHook, overview: JobList) -> None:
    """Go on with it: find out more about those of which there is more to be known."""
    for job_ids in overview.statements():
        try:
            answers = hook.describe_all(job_ids)
        except RejectedError:
            overview.refuse(job_ids)
            continue
        except TRANSIENT_ERRORS:
            overview.fail(job_ids)
            raise
        overview.answer(job_ids)
        _read(answers, job_ids, overview)


def _read(answers: Sequence[object], job_ids: Sequence[str], overview: JobList) -> None:
    for job_id, answer in zip(job_ids, answers, strict=True):
        try:
            overview.describe(FineTuneJob.parse(answer, job_id=job_id))
        except UnreadableAnswerError:
            overview.skip(job_id)
