"""A job as one row of a table, for JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_cortex.cortex.identifiers import family
from airflow_provider_cortex.cortex.job import FineTuneJob


def row(job: FineTuneJob, *, now: float) -> dict[str, Any]:
    """
    Return a row of a table of jobs, for JSON.

    Times are epoch milliseconds; unknown fields are None. *ends_on* is when a running job ends
    if it goes on at its present speed.

    :param now: when Cortex reported it, epoch seconds.
    """
    left = job.seconds_left(now=now)
    return {
        "id": job.id,
        "status": job.status_text,
        "is_finished": job.is_finished,
        "progress": job.progress,
        "ends_on": None if left is None else round((now + left) * 1000),
        "model": job.model,
        "family": family(job.model) if job.model else None,
        "base_model": job.base_model,
        "created_on": _milliseconds(job.created_on),
        "finished_on": _milliseconds(job.finished_on),
        "trained_tokens": job.trained_tokens,
        "training_loss": job.training_loss,
        "validation_loss": job.validation_loss,
        "error": job.error and job.error.text,
    }


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
