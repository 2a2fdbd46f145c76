"""The task that has a model work on all rows of a table, and waits for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.tasks.init_checks import (
    IF_TABLE_EXISTS,
    IfTableExists,
    as_value_error,
    error_rate,
    one_of,
)
from airflow_provider_cortex.tasks.staged_task import StagedTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.table_request import TableRequest
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.table_steps import TableAnswering


class TableTask(StagedTask):
    """
    Have a model work on every row of a table or query.

    For the arguments see :class:`~airflow_provider_cortex.operators.CortexCompleteTableOperator`.
    """

    sql_fields = ("source",)
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        source: str | XComArg,
        destination: str | XComArg,
        error_column: str = "error",
        if_exists: IfTableExists = "fail",
        max_error_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with as_value_error():
            one_of("if_exists", if_exists, IF_TABLE_EXISTS)
        self.source = source
        self.destination = destination
        self.error_column = error_column
        self.if_exists = if_exists
        self.max_error_rate = error_rate(max_error_rate)

    def work(self, request: TableRequest, hook: CortexHook) -> TableAnswering:
        """Return the steps that answer the table."""
        from airflow_provider_cortex.tasks.table_steps import TableAnswering

        return TableAnswering(
            request,
            hook,
            self.log,
            if_exists=self.if_exists,
            max_error_rate=self.max_error_rate,
        )

    def deliver(self, result: dict[str, Any], context: Context) -> dict[str, Any]:
        """Return the counts."""
        return result
