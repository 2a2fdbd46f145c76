"""Have a model work on all rows of a table, step by step, over a task's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.table_request import TableRequest
from airflow_provider_cortex.errors import TooManyErrorsError
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.staged_work import StagedWork

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.init_checks import IfTableExists
    from airflow_provider_cortex.waiting.wait_log import Log


class TableAnswering(StagedWork):
    """
    The steps of answering a table: one statement asks the model, another writes the answers.

    :param request: what to answer, and where to put the answers.
    :param if_exists: what to do if the destination exists.
    :param max_error_rate: the share of rows, from 0 to 1, that may have no answer.
    """

    def __init__(
        self,
        request: TableRequest,
        hook: CortexHook,
        log: Log,
        *,
        if_exists: IfTableExists,
        max_error_rate: float,
    ) -> None:
        super().__init__([request.statement], hook, log)
        self._request = request
        self._if_exists = if_exists
        self._max_error_rate = max_error_rate

    def check(self) -> None:
        """Find invalid arguments before anything is billed."""
        request = self._request
        columns = self.columns("source", request.source_query)
        request.check_source(columns)
        self.compile(
            request.compile_input(),
            argument=request.input_argument,
            about="compile what is asked",
        )
        written = [*columns, *(column.name.folded for column in request.added)]
        self.check_destination(request.destination_table, self._if_exists, written)

    def finish(self, query_id: str | None) -> dict[str, Any]:
        """
        Write the answers into the destination, and return the counts.

        :raises TooManyErrorsError: if too many rows have no answer.
        """
        request = self._request
        rows, errors, most_frequent = self._count()
        self._log.info("%d rows, %d of them without an answer", rows, errors)
        if not rows and request.hint_if_empty:
            self._log.warning("%s", for_log(request.hint_if_empty))
        if rows and errors / rows > self._max_error_rate:
            self.drop()
            raise TooManyErrorsError(query_id, rows, errors, most_frequent, self._max_error_rate)
        staged = self._hook.columns("the answers", request.statement.query)
        call = request.write(self._if_exists, request.source_columns(staged))
        self.write(call, request.destination_table)
        return {"rows": rows, "errors": errors, "query_id": query_id}

    def _count(self) -> tuple[int, int, str]:
        rows, errors, most_frequent = self._hook.row(
            self._request.count_errors(), width=3, about="count the answers"
        )
        return int(str(rows)), int(str(errors)), str(most_frequent or "")
