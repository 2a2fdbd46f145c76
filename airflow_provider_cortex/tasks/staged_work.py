"""Work that Snowflake does in statements without a session, each into a staging table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.destination import Destination
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.cortex.staged_statement import StagedStatement
from airflow_provider_cortex.errors import (
    TRANSIENT_ERRORS,
    ArgumentError,
    CortexError,
    QueryError,
    RejectedError,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.waiting import cancelling

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


class StagedWork(ABC):
    """
    The steps of such work, over a task's session.

    :param statements: they run one after another; a later one reads the tables of earlier ones.
    :param hook: the task's session.
    :param log: the task's.
    """

    def __init__(self, statements: Sequence[StagedStatement], hook: CortexHook, log: Log) -> None:
        self.statements = tuple(statements)
        self._hook = hook
        self._log = log

    @abstractmethod
    def check(self) -> None:
        """
        Find invalid arguments before anything is billed.

        :raises ArgumentError: if an argument is invalid.
        """

    @abstractmethod
    def finish(self, query_id: str | None) -> dict[str, Any]:
        """
        Return the result, read from the staging tables, in a form that JSON can hold.

        :param query_id: the last statement's id, None if it is unknown.
        """

    def start(self, statement: StagedStatement) -> str:
        """Start a statement, and return its id."""
        try:
            query_id = self._hook.submit(statement.call, about=statement.about)
        except TRANSIENT_ERRORS:
            self._log.warning(
                "Snowflake may have started the query anyway: a retry looks for it in the query history"
            )
            raise
        self._log.info("Started query %s to %s", for_log(query_id), for_log(statement.about))
        return query_id

    def is_running(self, query_id: str) -> bool:
        """Return whether a query runs; True also if that cannot be found out just now."""
        try:
            return not self._hook.execution(query_id).is_finished
        except CortexError as error:
            self._log.info("%s", error)
            return isinstance(error, TRANSIENT_ERRORS)

    def has(self, statement: StagedStatement) -> bool:
        """Return whether a statement has written its staging table."""
        try:
            self._hook.columns("the staging table", statement.query)
        except RejectedError:
            return False
        self._log.info(
            "Using what an earlier try of this task has paid for, to %s", for_log(statement.about)
        )
        return True

    def cancel(self, query_id: str | None) -> None:
        """Cancel a query, whatever its state; nothing is raised."""
        if query_id is None:
            return
        try:
            cancelling.cancel_query(query_id, self._hook, log=self._log)
        except CortexError as error:
            self._log.warning("Query %s may still be running: %s", query_id, error)

    def drop(self) -> None:
        """Drop the staging tables; nothing is raised."""
        for statement in self.statements:
            try:
                self._hook.run_once(statement.drop(), about="drop the staging table")
            except CortexError as error:
                self._log.warning(
                    "The staging table %s was not dropped: %s", statement.table, error
                )

    def columns(self, argument: str, query: str) -> tuple[str, ...]:
        """
        Return the names of a query's columns.

        :raises QueryError: if Snowflake cannot compile it.
        """
        try:
            return self._hook.columns(argument, query)
        except RejectedError as rejection:
            problem = f"cannot be read: {rejection.snowflake_message}"
            raise QueryError(argument, problem) from rejection

    def compile(self, call: Call, *, argument: str, about: str) -> None:
        """
        Have Snowflake compile an argument's SQL.

        :raises QueryError: if it cannot.
        """
        try:
            self._hook.run_once(call, about=about)
        except RejectedError as rejection:
            problem = f"cannot be read from the source: {rejection.snowflake_message}"
            raise QueryError(argument, problem) from rejection

    def check_destination(
        self, destination: Destination, if_exists: str, columns: Sequence[str]
    ) -> None:
        """
        Check that the result can be written.

        :param columns: those of the result.
        :raises ArgumentError: if not.
        """
        match if_exists:
            case "append":
                existing = self.columns("destination", destination.query)
                destination.check_columns(existing, columns)
            case "fail":
                try:
                    self._hook.columns("destination", destination.query)
                except RejectedError:
                    return  # it does not exist; or the role may not see it, and cannot create it either
                raise ArgumentError(
                    "destination",
                    destination.name,
                    f'{destination.name} exists, and if_exists is "fail": choose another table,'
                    ' or set if_exists to "replace" or "append".',
                )

    def write(self, call: Call, destination: Destination) -> None:
        """Write the result into its destination."""
        try:
            self._hook.run_once(call, about=f"write the answers into {destination.name}")
        except CortexError:
            tables = ", ".join(statement.table for statement in self.statements)
            self._log.warning("The answers are still in table %s", tables)
            raise
