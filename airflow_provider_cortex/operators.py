"""Start a fine-tuning job, and use the model that it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.statements import COMPLETION_FUNCTIONS, CompletionFunction
from airflow_provider_cortex.tasks import CortexTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


class CortexFineTuneOperator(CortexTask):
    """
    Start a Snowflake Cortex fine-tuning job, and return its id.

    The task ends as soon as Cortex has taken the job on: wait for it with
    :class:`~airflow_provider_cortex.sensors.CortexFineTuneSensor`.

    Every run of this task starts, and pays for, another job: Cortex does not mind a name that is
    taken, it appends a suffix. So it should not be retried: give it ``retries=0``.

    :param model: the name wished for the tuned model. (templated)
    :param base_model: the model to tune, such as ``llama3.1-8b``. (templated)
    :param training_data: a query with the columns PROMPT and COMPLETION. (templated)
    :param validation_data: the same for validation; without it Cortex splits the training data.
        (templated)
    :param options: Cortex's own, such as ``{"max_epochs": 3}``. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.CortexTask` and ``BaseOperator``.
    """

    template_fields: Sequence[str] = (
        "model",
        "base_model",
        "training_data",
        "validation_data",
        "options",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {
        "training_data": "sql",
        "validation_data": "sql",
        "options": "json",
    }
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str,
        base_model: str,
        training_data: str,
        validation_data: str | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.base_model = base_model
        self.training_data = training_data
        self.validation_data = validation_data
        self.options = options

    def execute(self, context: Context) -> str:
        """Start the job and return its id."""
        with self.cortex(context) as hook:
            job_id = hook.create(
                self.required("model"),
                self.required("base_model"),
                self.required("training_data"),
                validation_data=None
                if self.validation_data is None
                else self.required("validation_data"),
                options=self.options,
            )
        self.log.info("Cortex took on fine-tuning job %s for model %s", job_id, self.model)
        return job_id


class CortexCompleteOperator(CortexTask):
    """
    Have a model answer a prompt inside Snowflake, and return the answer.

    Neither prompt nor answer is logged.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param prompt: the question. (templated)
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}`` for an answer that is an object by this
        JSON schema. (templated)
    :param function: ``AI_COMPLETE``, or ``COMPLETE`` where an account has no other yet: Snowflake is
        retiring it.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.CortexTask` and ``BaseOperator``.
    """

    template_fields: Sequence[str] = (
        "model",
        "prompt",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"model_parameters": "json", "response_format": "json"}
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        prompt: str | XComArg,
        model_parameters: Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        function: CompletionFunction = "AI_COMPLETE",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if function not in COMPLETION_FUNCTIONS:
            message = f"function must be one of {', '.join(COMPLETION_FUNCTIONS)}, not {function!r}"
            raise ValueError(message)
        self.model = model
        self.prompt = prompt
        self.model_parameters = model_parameters
        self.response_format = response_format
        self.function = function
        self.remember_source("model")

    def execute(self, context: Context) -> Any:
        """Return the model's answer: text, or an object by the response format."""
        with self.cortex(context) as hook:
            return hook.complete(
                self.required("model"),
                self.required("prompt"),
                model_parameters=self.model_parameters,
                response_format=self.response_format,
                function=self.function,
            )
