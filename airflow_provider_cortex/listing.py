"""All the jobs of an account: one SHOW, and a few statements that describe them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import RefusedError, UnreadableAnswerError

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.overview import Overview
    from airflow_provider_cortex.hooks import CortexHook


def look(hook: CortexHook, overview: Overview) -> None:
    """
    Look once at all jobs of an account, and have *overview* take note of it.

    :raises CortexError: as the hook does. What cannot be told of some of the jobs is no error.
    """
    overview.show(hook.show())
    for job_ids in overview.statements():
        try:
            answers = hook.describe_all(job_ids)
        except RefusedError:
            overview.refuse(job_ids)
            continue
        for job_id, answer in zip(job_ids, answers, strict=True):
            with suppress(UnreadableAnswerError):  # the next look may be luckier
                overview.describe(FineTuneJob.parse(answer, job_id=job_id))
