"""Check training data before a job is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.rendered_values import number, share, whole_number
from airflow_provider_cortex.tasks.base import CortexTask, NumberReader
from airflow_provider_cortex.tasks.gated import GatedTask
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_cortex.cortex.training_data_report import Limits, Report
    from airflow_provider_cortex.cortex.training_data_sql import DataCheck
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.base import Number

    Numbers = Mapping[str, Any]
    """The arguments of :data:`NUMBERS`, each as its function returns it, or None."""

NUMBERS: Mapping[str, NumberReader] = {
    "epochs": whole_number,
    "max_trained_tokens": number,
    "min_rows": whole_number,
    "max_prompt_tokens": whole_number,
    "max_completion_tokens": whole_number,
    "max_truncated_rows": share,
    "max_empty_rows": share,
    "max_duplicate_rows": share,
    "credits_per_million_tokens": number,
    "sample": whole_number,
}
"""The arguments that are numbers, and what reads them."""


class CortexCheckTrainingDataOperator(GatedTask):
    """
    Check training data inside Snowflake, before a fine-tuning job is paid for.

    One statement for each data set counts what would be paid for in vain: empty rows, copies,
    contradictions, and texts that Cortex would cut without a warning. It also counts the tokens,
    with AI_COUNT_TOKENS. Only the figures leave Snowflake. A missed limit fails the task without a
    retry, or skips it and what follows.

    XComs: ``return_value`` is the report, and so is ``report``, which is there even if a limit is
    missed. The log shows it as a table.

    :param training_data: a query with the columns PROMPT and COMPLETION, the path of a ``.sql``
        file with one, or a table's name. (templated)
    :param base_model: the model to tune: its tokens are counted. (templated)
    :param validation_data: the same as *training_data*, for validation. (templated)
    :param epochs: how often the job will train with each row, to estimate its trained tokens. By
        default 3 are assumed, and the report says so (guess default-epochs). (templated)
    :param max_trained_tokens: the most trained tokens, estimated as the tokens of all prompts and
        completions times the epochs (guess trained-tokens). (templated)
    :param min_rows: the fewest rows of training data. No rows at all are never enough. (templated)
    :param max_prompt_tokens: the most tokens of a prompt that the base model does not cut: see
        Snowflake's page on fine-tuning. (templated)
    :param max_completion_tokens: the same for a completion. (templated)
    :param max_truncated_rows: the share of rows, from 0 to 1, that may be longer than these two
        limits. None: any. (templated)
    :param max_empty_rows: the share of rows, from 0 to 1, whose prompt or completion may be NULL or
        nothing but whitespace. None: any. (templated)
    :param max_duplicate_rows: the share of rows, from 0 to 1, that may have the same prompt and
        completion as an earlier row. None: any. (templated)
    :param allow_overlap: whether validation data may have prompts of the training data.
    :param credits_per_million_tokens: the price of training, to estimate its credits. (templated)
    :param sample: measure so many random rows of each data set, for large tables. The report then
        says that it is an estimate. (templated)
    :param gate: what the task does if a limit is missed: ``"fail"``, without a retry, or
        ``"skip"``.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if an argument is invalid.
    """

    template_fields: Sequence[str] = (
        "training_data",
        "base_model",
        "validation_data",
        *NUMBERS,
        *CortexTask.template_fields,
    )
    numbers = NUMBERS
    sql_fields = ("training_data", "validation_data")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"training_data": "sql", "validation_data": "sql"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"
    report_kind = "training_data"
    report_xcom = "report"

    def __init__(
        self,
        *,
        training_data: str | XComArg,
        base_model: str | XComArg,
        validation_data: str | XComArg | None = None,
        epochs: Number = None,
        max_trained_tokens: Number = None,
        min_rows: Number = None,
        max_prompt_tokens: Number = None,
        max_completion_tokens: Number = None,
        max_truncated_rows: Number = 0.0,
        max_empty_rows: Number = 0.0,
        max_duplicate_rows: Number = None,
        allow_overlap: bool = False,
        credits_per_million_tokens: Number = None,
        sample: Number = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_data = training_data
        self.base_model = base_model
        self.validation_data = validation_data
        self.allow_overlap = allow_overlap
        self.set_numbers(
            epochs=epochs,
            max_trained_tokens=max_trained_tokens,
            min_rows=min_rows,
            max_prompt_tokens=max_prompt_tokens,
            max_completion_tokens=max_completion_tokens,
            max_truncated_rows=max_truncated_rows,
            max_empty_rows=max_empty_rows,
            max_duplicate_rows=max_duplicate_rows,
            credits_per_million_tokens=credits_per_million_tokens,
            sample=sample,
        )
        self._queries: Mapping[str, str] = {}
        """The data sets that were measured, for lineage."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Measure the data, and return the report if no limit is missed."""
        from airflow_provider_cortex.cortex.training_data_report import gate_error

        with self.translated_errors():
            numbers = self.read_numbers()
            check, limits = self._data_check(numbers), self._limits(numbers)
        with self.cortex(context) as hook:
            report = self._measured(check, numbers, hook)
            missed = report.missed(limits)
            found = report.to_dict(missed)
            self.log.info("Training data:\n%s", report.to_text(missed))
            if self.do_xcom_push:
                context["ti"].xcom_push(key=self.report_xcom, value=found)
            if missed:
                raise gate_error("The training data misses its limits", missed)
        return found

    def get_openlineage_facets_on_complete(
        self, task_instance: Any
    ) -> OperatorLineage[Any, Any] | None:
        """
        Return the tables that were checked; OpenLineage's provider calls this.

        Source: ``airflow.providers.openlineage.extractors.base.DefaultExtractor``.
        """
        from airflow_provider_cortex.tasks import lineage

        if not self._queries:
            return None
        return lineage.of_queries(self, list(self._queries.values()), self.linked_query_id)

    def _measured(self, check: DataCheck, numbers: Numbers, hook: CortexHook) -> Report:
        from airflow_provider_cortex.cortex.training_data_report import Report
        from airflow_provider_cortex.cortex.training_data_sql import TRAINING, VALIDATION
        from airflow_provider_cortex.tasks import training_queries

        training_queries.validate(hook, check.queries)
        self._queries = check.queries
        training = training_queries.measure(hook, check, TRAINING)
        self.linked_query_id = hook.last_query_id
        validation = None
        if check.validation_data is not None:
            validation = training_queries.measure(hook, check, VALIDATION)
        return Report(
            base_model=check.base_model,
            training=training,
            validation=validation,
            epochs=numbers["epochs"],
            credits_per_million_tokens=numbers["credits_per_million_tokens"],
        )

    def _data_check(self, numbers: Numbers) -> DataCheck:
        """Return what to measure, with its arguments checked."""
        from airflow_provider_cortex.cortex.training_data_sql import DataCheck

        return DataCheck(
            base_model=self.required("base_model"),
            training_data=self.required("training_data"),
            validation_data=None
            if self.validation_data is None
            else self.required("validation_data"),
            max_prompt_tokens=numbers["max_prompt_tokens"],
            max_completion_tokens=numbers["max_completion_tokens"],
            sample=numbers["sample"],
        )

    def _limits(self, numbers: Numbers) -> Limits:
        from airflow_provider_cortex.cortex.training_data_report import Limits

        return Limits(
            min_rows=numbers["min_rows"] or 1,
            max_trained_tokens=numbers["max_trained_tokens"],
            max_truncated_rows=numbers["max_truncated_rows"],
            max_empty_rows=numbers["max_empty_rows"],
            max_duplicate_rows=numbers["max_duplicate_rows"],
            allow_overlap=self.allow_overlap,
        )
