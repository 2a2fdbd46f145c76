"""Have several models answer the same rows, and score their answers, over a task's session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.evaluation import EvaluationRequest
from airflow_provider_cortex.cortex.evaluation_report import EvaluationReport
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import excerpt
from airflow_provider_cortex.tasks.staged_work import StagedWork

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.sql import Call
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.init_checks import IfTableExists
    from airflow_provider_cortex.waiting.wait_log import Log


class Evaluation(StagedWork):
    """
    The steps of an evaluation: one statement asks all models, another scores their answers.

    :param request: which models to ask, with what, and how to score their answers.
    :param baseline: the model that the others are compared with, one of the request's; or None.
    :param if_exists: what to do if the destination exists.
    """

    def __init__(
        self,
        request: EvaluationRequest,
        hook: CortexHook,
        log: Log,
        *,
        baseline: str | None,
        if_exists: IfTableExists,
    ) -> None:
        super().__init__(request.statements, hook, log)
        self._request = request
        self._baseline = baseline
        self._if_exists = if_exists

    def check(self) -> None:
        """Find invalid arguments before anything is billed."""
        request = self._request
        request.check_data(self.columns("data", request.data_query))
        self.compile(request.compile_score(), argument="score", about="compile the score")
        if call := request.count_unreadable():
            count, example = self._hook.row(call, width=2, about="check the expected answers")
            if int(str(count)):
                raise ArgumentError(
                    "expected_column",
                    example,
                    f"must have JSON objects; {count} rows have others, such as"
                    f" {excerpt(str(example))!r}.",
                )
        if destination := request.destination_table:
            self.check_destination(destination, self._if_exists, request.destination_columns)

    def finish(self, query_id: str | None) -> dict[str, Any]:
        """Write the destination, and return the report."""
        request = self._request
        report = EvaluationReport.of(
            request.models,
            self._baseline,
            query_id,
            self._rows(request.summarize_models()),
            self._rows(request.compare_models()),
            fields=self._rows(fields) if (fields := request.summarize_fields()) else (),
        )
        if destination := request.destination_table:
            self.write(request.write(destination, self._if_exists), destination)
        return report.to_dict()

    def _rows(self, call: Call) -> Sequence[Sequence[Any]]:
        return self._hook.answer(call, about="compare the models").rows
