"""The task that has a model answer all rows of a table, and waits for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.rendered_values import mapping
from airflow_provider_cortex.tasks.base import AskingTask, CortexTask
from airflow_provider_cortex.tasks.table_task import TableTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.answer_table_sql import AnswerTableRequest
    from airflow_provider_cortex.hooks import CortexHook


class AnswerTableTask(TableTask, AskingTask):
    """
    Have a model answer every row of a table or query.

    For the arguments see :class:`~airflow_provider_cortex.operators.CortexCompleteTableOperator`.
    """

    template_fields: Sequence[str] = (
        "model",
        "alias",
        "source",
        "destination",
        "prompt_column",
        "prompt_expression",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {
        "source": "sql",
        "prompt_expression": "sql",
        "model_parameters": "json",
        "response_format": "json",
    }

    def __init__(
        self,
        *,
        model: str | XComArg | None = None,
        alias: str | XComArg | None = None,
        prompt_column: str | XComArg | None = None,
        prompt_expression: str | XComArg | None = None,
        answer_column: str = "answer",
        model_parameters: Mapping[str, Any] | str | XComArg | None = None,
        response_format: Mapping[str, Any] | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (prompt_column is None) == (prompt_expression is None):
            raise ValueError("give either prompt_column or prompt_expression, and not both")
        self.set_model(model, alias)
        self.prompt_column = prompt_column
        self.prompt_expression = prompt_expression
        self.answer_column = answer_column
        self.model_parameters = model_parameters
        self.response_format = response_format
        # Once rendered, either may be None.
        self._has_column = prompt_column is not None
        self._found_model: str | None = None

    def resolve(self, hook: CortexHook, context: Context) -> None:
        """Find the model of an alias."""
        self._found_model = self.find_model(hook, context)

    def recall(self, context: Context) -> None:
        """Find the model that was asked before the task was deferred."""
        self._found_model = self.found_model(context)

    def request(self, context: Context) -> AnswerTableRequest:
        """Return what to answer, with the arguments checked."""
        from airflow_provider_cortex.cortex.answer_table_sql import AnswerTableRequest

        ti = context["ti"]
        request = AnswerTableRequest(
            model=self._found_model or self.asked(),
            source=self.required("source"),
            destination=self.required("destination"),
            prompt_column=self.required("prompt_column") if self._has_column else None,
            prompt_expression=None if self._has_column else self.required("prompt_expression"),
            answer_column=self.answer_column,
            error_column=self.error_column,
            model_parameters=mapping("model_parameters", self.model_parameters),
            response_format=mapping("response_format", self.response_format),
        )
        return request.of_task(ti.dag_id, ti.task_id, ti.run_id, ti.map_index)
