"""Pass the model of a finished job downstream, if it passes its gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex import model_gate as gates
from airflow_provider_cortex.cortex.rendered_values import number
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.gated import GatedTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_cortex.cortex.job import FineTuneJob
    from airflow_provider_cortex.tasks.base import Number

JOB_RECORD = "finetune_job"
"""The XCom with the job's record."""


class ModelDelivery(GatedTask):
    """
    A task that returns the model of a finished job.

    :param max_validation_loss: the highest validation loss that the model may have. (templated)
    :param max_training_loss: the highest training loss. (templated)
    :param max_trained_tokens: the most trained tokens. (templated)
    :param gate: as of :class:`~airflow_provider_cortex.tasks.gated.GatedTask`.
    """

    numbers = dict.fromkeys(gates.FIGURES, number)
    template_fields: Sequence[str] = (*gates.FIGURES, *CortexTask.template_fields)

    def __init__(
        self,
        *,
        max_validation_loss: Number = None,
        max_training_loss: Number = None,
        max_trained_tokens: Number = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_numbers(
            max_validation_loss=max_validation_loss,
            max_training_loss=max_training_loss,
            max_trained_tokens=max_trained_tokens,
        )
        self._job: FineTuneJob | None = None

    def limits(self) -> dict[str, float]:
        """
        Return the limits that are set, once they are rendered.

        :raises ArgumentError: if one is invalid, for instance because it rendered to nothing.
        """
        return {name: limit for name, limit in self.read_numbers().items() if limit is not None}

    def deliver(self, job: FineTuneJob, context: Context) -> str:
        """
        Push the job's XComs, and return its model's name.

        :raises CortexError: if the job made no model, or one that misses the gate.
        """
        from airflow_provider_cortex.waiting.wait_log import summary

        self._job = job
        ti = context["ti"]
        if self.do_xcom_push:
            ti.xcom_push(key=JOB_RECORD, value=job.to_dict())
        model = job.outcome()
        self.log.info("%s", summary(job))
        gates.check(job, model, self.limits())
        if self.do_xcom_push:
            ti.xcom_push(key="model", value=model)
        if self.outlets:
            from airflow_provider_cortex.tasks import assets

            assets.emit(self, context, model, assets.job_facts(job))
        return model

    def get_openlineage_facets_on_complete(
        self, task_instance: Any
    ) -> OperatorLineage[Any, Any] | None:
        """
        Return the finished job's tables and model; OpenLineage's provider calls this.

        Source: ``airflow.providers.openlineage.extractors.base.DefaultExtractor``.
        """
        from airflow_provider_cortex.tasks import lineage

        return lineage.facets(self, self._job) if self._job else None
