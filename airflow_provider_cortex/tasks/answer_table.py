"""The answers of a model to a whole table, step by step: over a hook, and told in a task's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_cortex.cortex.answer_table import TableRequest
from airflow_provider_cortex.errors import (
    ArgumentError,
    CortexError,
    QueryError,
    RejectedError,
    TooManyErrorsError,
)
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.poller import TRANSIENT_ERRORS
from airflow_provider_cortex.waiting.progress import Log

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook

IfTableExists = Literal["fail", "replace", "append"]
IF_TABLE_EXISTS: tuple[str, ...] = get_args(IfTableExists)


class TableAnswering:
    """
    What a task does to have a table answered.

    :param request: what is asked, and where the answers go.
    :param hook: the session to do it in.
    :param log: the task's.
    """

    def __init__(self, request: TableRequest, hook: CortexHook, log: Log) -> None:
        self._request = request
        self._hook = hook
        self._log = log

    def check(self, if_exists: IfTableExists) -> None:
        """
        Find out what would fail, before it costs anything.

        :raises ArgumentError: by the name of the argument that is of no use.
        """
        request = self._request
        columns = self._columns("source", request.source_query)
        request.check_source(columns)
        try:
            self._hook.run_once(request.prompts(), about="compile the prompts")
        except RejectedError as refusal:
            problem = f"is nothing that Snowflake can read from the source: {refusal.said}"
            raise QueryError(request.prompt_argument, problem) from refusal
        self._check_destination(if_exists, columns)

    def are_there(self) -> bool:
        """Return whether an earlier try has got them, as far as the table in between."""
        try:
            self._hook.columns("the table in between", self._request.answered)
        except RejectedError:
            return False
        self._log.info("The answers that an earlier try of this task has paid for are there")
        return True

    def start(self) -> str:
        """Have the model begin, and return the query's id."""
        about = f"have model {self._request.model} answer {self._request.source}"
        try:
            query_id = self._hook.submit(self._request.ask(), about=about)
        except TRANSIENT_ERRORS:
            self._log.warning(
                "Snowflake may have started the query all the same: a retry asks again"
            )
            raise
        self._log.info("Query %s asks model %s for every row", query_id, self._request.model)
        return query_id

    def are_coming(self, query_id: str) -> bool:
        """Return whether a query still runs, as far as can be told: one that failed is nothing to wait for."""
        try:
            return not self._hook.execution(query_id).is_finished
        except CortexError as error:
            self._log.info("%s", error)
            return isinstance(error, TRANSIENT_ERRORS)

    def finish(
        self, query_id: str | None, *, if_exists: IfTableExists, max_error_rate: float
    ) -> dict[str, Any]:
        """
        Put the answers where they belong, if there are enough of them, and return the counts.

        :raises TooManyErrorsError: if there are not.
        """
        request = self._request
        rows, errors, commonest = self._count()
        self._log.info("%d rows, %d of them without an answer", rows, errors)
        if rows and errors / rows > max_error_rate:
            self._drop()
            raise TooManyErrorsError(query_id, rows, errors, commonest, max_error_rate)
        columns = request.without_raw(self._hook.columns("the answers", request.answered))
        call = {
            "fail": request.create,
            "replace": request.replace,
            "append": request.append,
        }[if_exists](columns)
        try:
            self._hook.run_once(call, about=f"put the answers into {request.destination}")
        except CortexError:
            self._log.warning("The answers are still in %s", request.between)
            raise
        self._drop()
        return {"rows": rows, "errors": errors, "query_id": query_id}

    def give_up(self, query_id: str | None) -> None:
        """Cancel the query, whatever its state; nothing is raised."""
        if query_id is None:
            return
        try:
            cancelling.cancel_query(query_id, self._hook, log=self._log)
        except CortexError as error:
            self._log.warning("Query %s may run on: %s", query_id, error)

    def _count(self) -> tuple[int, int, str]:
        rows, errors, commonest = self._hook.row(
            self._request.count(), width=3, about="count the answers"
        )
        return int(str(rows)), int(str(errors)), "" if commonest is None else str(commonest)

    def _drop(self) -> None:
        try:
            self._hook.run_once(self._request.drop(), about="drop the table in between")
        except CortexError as error:
            self._log.warning("Table %s is left over: %s", self._request.between, error)

    def _columns(self, argument: str, query: str) -> tuple[str, ...]:
        try:
            return self._hook.columns(argument, query)
        except RejectedError as refusal:
            problem = f"is nothing that Snowflake can read here: {refusal.said}"
            raise QueryError(argument, problem) from refusal

    def _check_destination(self, if_exists: IfTableExists, columns: tuple[str, ...]) -> None:
        destination, query = self._request.destination, self._request.destination_query
        match if_exists:
            case "append":
                there = self._columns("destination", query)
                self._request.check_destination(there, columns)
            case "fail":
                try:
                    self._hook.columns("destination", query)
                except RejectedError:
                    return  # it is not there, or not for us: then Snowflake refuses to make it, too
                raise ArgumentError(
                    "destination",
                    destination,
                    f'{destination} is there already, and if_exists is "fail": name another table, or'
                    ' say "replace" or "append".',
                )
