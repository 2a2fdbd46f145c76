"""
Emit an asset event for a new model (a dataset's on Airflow 2), so that DAGs scheduled on it run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cortex.tasks.base import CortexTask


def emit(task: CortexTask, context: Context, job: FineTuneJob, model: str) -> None:
    """
    Emit the events of a task's outlets for the model that its job has made.

    An ``AssetAlias`` gets an event for ``snowflake://account/database/schema/model``. An
    ``Asset`` has an event anyway, under its author's address: it gets the extra.

    Nothing is raised: the model is paid for, and exists.
    """
    outlets = [outlet for outlet in task.outlets if isinstance(outlet, Asset | AssetAlias)]
    if not outlets:
        return
    try:
        _emit(outlets, task, context, job, model)
    except Exception as error:  # noqa: BLE001 - a secrets backend or Airflow may raise anything
        task.log.warning("No asset event for model %s: %s", for_log(model), for_log(str(error)))


def _emit(
    outlets: list[Any], task: CortexTask, context: Context, job: FineTuneJob, model: str
) -> None:
    extra = _extra(job, model)
    events = context["outlet_events"]
    for outlet in outlets:
        if isinstance(outlet, Asset):
            events[outlet].extra = {**events[outlet].extra, **extra}
    aliases = [outlet for outlet in outlets if isinstance(outlet, AssetAlias)]
    if aliases:
        asset = Asset(task.namespace().uri(model))
        for alias in aliases:
            events[alias].add(asset, extra=extra)
        task.log.info("Asset event for %s", for_log(asset.uri))


def _extra(job: FineTuneJob, model: str) -> dict[str, Any]:
    """Return an event's extra; null for what Cortex did not report, *duration* in seconds."""
    return {
        "model": model,
        "base_model": job.base_model,
        "finetune_job_id": job.id,
        "training_loss": job.training_loss,
        "validation_loss": job.validation_loss,
        "trained_tokens": job.trained_tokens,
        "duration": job.seconds,
    }
