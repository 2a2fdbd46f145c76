"""All the jobs of an account: one SHOW, and a few statements that describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.polling import PASSING
from airflow_provider_cortex.errors import RefusedError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_cortex.cortex.overview import Overview
    from airflow_provider_cortex.hooks import CortexHook


def look(hook: CortexHook, overview: Overview) -> None:
    """
    Look once at all jobs of an account, and have *overview* take note of it.

    :raises CortexError: as the hook does. What cannot be told of some of the jobs is no error.
    """
    show(hook, overview)
    describe(hook, overview)


def show(hook: CortexHook, overview: Overview) -> None:
    """Begin a look: find out which jobs there are. What is no job among them is left out."""
    overview.show(hook.show(skip_unreadable=True))


def describe(hook: CortexHook, overview: Overview) -> None:
    """Go on with it: find out more about those of which there is more to be known."""
    for job_ids in overview.statements():
        try:
            answers = hook.describe_all(job_ids)
        except RefusedError:
            overview.refuse(job_ids)
            continue
        except PASSING:
            overview.fail(job_ids)
            raise
        overview.answer(job_ids)
        _read(answers, job_ids, overview)


def _read(answers: Sequence[object], job_ids: Sequence[str], overview: Overview) -> None:
    for job_id, answer in zip(job_ids, answers, strict=True):
        try:
            overview.describe(FineTuneJob.parse(answer, job_id=job_id))
        except UnreadableAnswerError:
            overview.skip(job_id)
