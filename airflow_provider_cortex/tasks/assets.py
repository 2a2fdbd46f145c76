"""
Emit an asset event for a new model (a dataset's on Airflow 2), so that DAGs scheduled on it run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.base import CortexTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def emit(task: CortexTask, context: Context, model: str, facts: Mapping[str, Any]) -> None:
    """
    Emit the events of a task's outlets for a model that it passes downstream.

    An ``AssetAlias`` gets an event for ``snowflake://account/database/schema/model``. An
    ``Asset`` has an event anyway, under its author's address: it gets the extra, too. That is the
    model, the facts, and what tasks before this one have measured.

    Nothing is raised: the model is paid for, and exists.
    """
    outlets = [outlet for outlet in task.outlets if isinstance(outlet, Asset | AssetAlias)]
    if not outlets:
        return
    try:
        extra = compat.event_extra({"model": model, **measured_before(task, context), **facts})
        _emit(outlets, task, context, model, extra)
    except Exception as error:  # noqa: BLE001 - a secrets backend or Airflow may raise anything
        task.log.warning("No asset event for model %s: %s", for_log(model), for_log(str(error)))


def measured_before(task: CortexTask, context: Context) -> dict[str, Any]:
    """Return the reports that tasks before this one have pushed in this run, by their kind."""
    found = {}
    for earlier in task.get_flat_relatives(upstream=True):
        if isinstance(earlier, CortexTask) and earlier.report_kind:
            ti = context["ti"]
            report = ti.xcom_pull(task_ids=earlier.task_id, key=earlier.report_xcom)
            if report is not None:
                found[earlier.report_kind] = report
    return found


def job_facts(job: FineTuneJob) -> dict[str, Any]:
    """Return what is known of a job; null for what Cortex did not report, seconds."""
    return {
        "base_model": job.base_model,
        "finetune_job_id": job.id,
        "training_loss": job.training_loss,
        "validation_loss": job.validation_loss,
        "trained_tokens": job.trained_tokens,
        "duration": job.seconds,
    }


def _emit(
    outlets: list[Any], task: CortexTask, context: Context, model: str, extra: dict[str, Any]
) -> None:
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
