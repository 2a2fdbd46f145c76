"""Have a model answer all rows of a table, step by step, over a task's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.answer_table_sql import TableRequest
from airflow_provider_cortex.errors import (
    TRANSIENT_ERRORS,
    ArgumentError,
    CortexError,
    QueryError,
    RejectedError,
    TooManyErrorsError,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.waiting import cancelling

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.init_checks import IfTableExists
    from airflow_provider_cortex.waiting.wait_log import Log


class TableAnswering:
    """
    The steps of answering a table.

    :param request: what to answer, and where to put the answers.
    :param hook: the task's session.
    :param log: the task's.
    """

    def __init__(self, request: TableRequest, hook: CortexHook, log: Log) -> None:
        self._request = request
        self._hook = hook
        self._log = log

    def check(self, if_exists: IfTableExists) -> None:
        """
        Find invalid arguments before anything is billed.

        :raises ArgumentError: if an argument is invalid.
        """
        request = self._request
        columns = self._columns("source", request.source_query)
        request.check_source(columns)
        try:
            self._hook.run_once(request.compile_prompts(), about="compile the prompts")
        except RejectedError as rejection:
            problem = f"cannot be read from the source: {rejection.snowflake_message}"
            raise QueryError(request.prompt_argument, problem) from rejection
        self._check_destination(if_exists, columns)

    def start(self) -> str:
        """Have the model begin, and return the query's id."""
        request = self._request
        about = f"have model {request.model} answer {request.source}"
        try:
            query_id = self._hook.submit(request.create_staging(), about=about)
        except TRANSIENT_ERRORS:
            self._log.warning(
                "Snowflake may have started the query anyway: a retry may ask, and pay for, all rows again"
            )
            raise
        self._log.info(
            "Query %s asks model %s for every row", for_log(query_id), for_log(request.model)
        )
        return query_id

    def is_running(self, query_id: str) -> bool:
        """Return whether a query runs; True also if that cannot be found out just now."""
        try:
            return not self._hook.execution(query_id).is_finished
        except CortexError as error:
            self._log.info("%s", error)
            return isinstance(error, TRANSIENT_ERRORS)

    def has_answers(self) -> bool:
        """Return whether an earlier try has written the staging table."""
        try:
            self._hook.columns("the staging table", self._request.staging_query)
        except RejectedError:
            return False
        self._log.info("Using the answers that an earlier try of this task has paid for")
        return True

    def finish(
        self, query_id: str | None, *, if_exists: IfTableExists, max_error_rate: float
    ) -> dict[str, Any]:
        """
        Write the answers into the destination, and return the counts.

        :raises TooManyErrorsError: if too many rows have no answer.
        """
        request = self._request
        rows, errors, most_frequent = self._count()
        self._log.info("%d rows, %d of them without an answer", rows, errors)
        if rows and errors / rows > max_error_rate:
            self._drop()
            raise TooManyErrorsError(query_id, rows, errors, most_frequent, max_error_rate)
        staging_columns = self._hook.columns("the answers", request.staging_query)
        write = {
            "fail": request.create_destination,
            "replace": request.replace_destination,
            "append": request.append_to_destination,
        }[if_exists]
        call = write(request.source_columns(staging_columns))
        try:
            self._hook.run_once(call, about=f"write the answers into {request.destination}")
        except CortexError:
            self._log.warning("The answers are still in table %s", request.staging_table)
            raise
        self._drop()
        return {"rows": rows, "errors": errors, "query_id": query_id}

    def cancel(self, query_id: str | None) -> None:
        """Cancel the query, whatever its state; nothing is raised."""
        if query_id is None:
            return
        try:
            cancelling.cancel_query(query_id, self._hook, log=self._log)
        except CortexError as error:
            self._log.warning("Query %s may still be running: %s", query_id, error)

    def _count(self) -> tuple[int, int, str]:
        rows, errors, most_frequent = self._hook.row(
            self._request.count_errors(), width=3, about="count the answers"
        )
        return int(str(rows)), int(str(errors)), str(most_frequent or "")

    def _drop(self) -> None:
        try:
            self._hook.run_once(self._request.drop_staging(), about="drop the staging table")
        except CortexError as error:
            self._log.warning(
                "The staging table %s was not dropped: %s", self._request.staging_table, error
            )

    def _columns(self, argument: str, query: str) -> tuple[str, ...]:
        try:
            return self._hook.columns(argument, query)
        except RejectedError as rejection:
            raise QueryError(
                argument, f"cannot be read: {rejection.snowflake_message}"
            ) from rejection

    def _check_destination(self, if_exists: IfTableExists, columns: tuple[str, ...]) -> None:
        request = self._request
        match if_exists:
            case "append":
                existing = self._columns("destination", request.destination_query)
                request.check_destination(existing, columns)
            case "fail":
                try:
                    self._hook.columns("destination", request.destination_query)
                except RejectedError:
                    return  # it does not exist; or the role may not see it, and cannot create it either
                raise ArgumentError(
                    "destination",
                    request.destination,
                    f'{request.destination} exists, and if_exists is "fail": choose another table,'
                    ' or set if_exists to "replace" or "append".',
                )
