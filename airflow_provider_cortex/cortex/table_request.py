"""
The SQL that has a model work on each row of a table, and that writes its answers into another one.

One statement asks the model, which costs, and writes what it returns into a staging table. Only
if that is good enough, another statement writes it into the destination.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.completion import NULL_ANSWER, FunctionCall
from airflow_provider_cortex.cortex.destination import Destination, quoted
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.source_query import as_query
from airflow_provider_cortex.cortex.sql import Call, for_binding
from airflow_provider_cortex.cortex.staged_statement import (
    StagedStatement,
    create_staging,
    staging_name,
    staging_table,
)
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import excerpt

RAW = Identifier("_CORTEX_RAW")
"""The column of the staging table that holds what the function returned, with its ``error``."""


MAX_NAME = 255
"""Characters. Source: https://docs.snowflake.com/en/sql-reference/identifiers-syntax."""


@dataclass(frozen=True)
class Added:
    """
    A column that the destination gets.

    :param argument: the argument that names it.
    :param name: its name.
    :param sql: the expression for its value in a row of the staging table.
    """

    argument: str
    name: Identifier
    sql: str


@dataclass(frozen=True, kw_only=True)
class TableRequest(ABC):
    """
    What to ask of each row, and where to put the answers.

    :param source: a table's name, or a query.
    :param destination: a table's name.
    :param error_column: its column for the errors; NULL in a row that has an answer.
    :param staging: the staging table's name, without database and schema; see :meth:`of_task`.
    :raises ArgumentError: if an argument is invalid.
    """

    source: str
    destination: str
    error_column: str
    staging: str = "CORTEX_ANSWERS"

    def __post_init__(self) -> None:
        self._check_names()
        _ = self.statement  # validates the other arguments

    def _check_names(self) -> None:
        taken: dict[str, str] = {}
        for column in self.added:
            earlier = taken.get(column.name.folded)
            taken[column.name.folded] = column.argument
            if len(column.name.folded) > MAX_NAME:
                problem = (
                    f"names a column with {len(column.name.folded)} characters, more than"
                    f" {MAX_NAME}: give a short label to each question, or one name for all."
                )
            elif earlier == column.argument:
                problem = f"has two labels for the column {column.name.folded}."
            elif earlier:
                problem = f"must be another column than {earlier}."
            else:
                continue
            raise ArgumentError(column.argument, column.name.text, problem)

    # --- What a subclass defines -----------------------------------------------------------------

    @property
    @abstractmethod
    def about(self) -> str:
        """What the statement does, as an error or a log line names it."""

    @property
    @abstractmethod
    def asked(self) -> FunctionCall:
        """The call for a row of the source, and the values that it binds."""

    @property
    @abstractmethod
    def answers(self) -> Sequence[Added]:
        """The columns for the answers."""

    @property
    @abstractmethod
    def answer(self) -> str:
        """The part of what the function returned that is NULL if there is no answer."""

    @property
    @abstractmethod
    def input_argument(self) -> str:
        """The argument that says what to ask."""

    @property
    @abstractmethod
    def input(self) -> str:
        """The expression for what is asked of a row."""

    # --- What is paid for ------------------------------------------------------------------------

    def of_task(self, *task_instance: object) -> Self:
        """
        Return the same request with a staging table of its own for a task instance.

        A later try of the task with the same request finds the answers there, already paid for.
        """
        prefix = self.destination_table.parts[-1].folded
        return replace(self, staging=staging_name(prefix, task_instance, self))

    @property
    def statement(self) -> StagedStatement:
        """The statement that asks the model once for each row, and stages the answers."""
        call, values = self.asked
        create, source = map(for_binding, (create_staging(self._staging_table), self.source_query))
        return StagedStatement(
            name=self.staging,
            schema=self.destination_table.parts[:-1],
            call=Call(f"{create} SELECT *, {call} AS {RAW.sql} FROM ({source})", values),  # noqa: S608 - as above
            about=self.about,
        )

    # --- What is read for nothing ----------------------------------------------------------------

    @property
    def source_query(self) -> str:
        """The query for all rows of the source."""
        return as_query("source", text("source", self.source))

    def compile_input(self) -> Call:
        """Return the statement that compiles what is asked, without asking the model."""
        sql = f"SELECT {self.input} FROM ({self.source_query}) LIMIT 0"  # noqa: S608 - the user's own SQL
        return Call(sql, (), only_reads=True)

    def check_source(self, columns: Sequence[str]) -> None:
        """
        Check that the source has no column with the name of an added one.

        :raises ArgumentError: if not.
        """
        for column in self.added:
            if column.name.folded in columns:
                raise ArgumentError(
                    column.argument,
                    column.name.text,
                    f"is {column.name.folded}, but the source already has this column: choose"
                    " another name.",
                )
        if RAW.folded in columns:
            raise ArgumentError("source", self.source, f"must not have a column {RAW.folded}.")

    def check_column(self, argument: str, name: str, columns: Sequence[str]) -> None:
        """
        Check that the source has a column that an argument names.

        :raises ArgumentError: if not.
        """
        if identifiers.parse_or_quote(name).folded not in columns:
            raise ArgumentError(
                argument,
                name,
                f"{name} is not a column of the source, which has"
                f" {excerpt(', '.join(map(quoted, columns)))}.",
            )

    def count_errors(self) -> Call:
        """Return the statement for the counts of rows and errors, and the most frequent error."""
        return Call(
            "SELECT COUNT(*), COUNT(error), MODE(error)"  # noqa: S608 - names
            f" FROM (SELECT {self._error_sql} AS error FROM {self._staging_table})",
            (),
            only_reads=True,
        )

    @property
    def hint_if_empty(self) -> str:
        """What may be wrong if the source has no rows; empty if it may well be so."""
        return ""

    # --- The destination -------------------------------------------------------------------------

    @property
    def destination_table(self) -> Destination:
        return Destination(self.destination)

    @property
    def added(self) -> tuple[Added, ...]:
        """The columns that are added to those of the source; the last one is for errors."""
        error = identifiers.parse_or_quote(self.error_column)
        return (*self.answers, Added("error_column", error, self._error_sql))

    def write(self, if_exists: str, source_columns: Iterable[str]) -> Call:
        """Return the statement that writes the answers into the destination."""
        columns = list(source_columns)
        names = [*columns, *(column.name.folded for column in self.added)]
        expressions = [
            *map(quoted, columns),
            *(f"{column.sql} AS {column.name.sql}" for column in self.added),
        ]
        select = f"SELECT {', '.join(expressions)} FROM {self._staging_table}"  # noqa: S608 - names
        return self.destination_table.write(if_exists, names, select)

    def source_columns(self, staging_columns: Iterable[str]) -> list[str]:
        """Return those columns of the staging table that come from the source."""
        return [name for name in staging_columns if name != RAW.folded]

    @property
    def _staging_table(self) -> str:
        return staging_table(self.destination_table.parts[:-1], self.staging)

    @property
    def _error_sql(self) -> str:
        """The expression for a row's error; NULL if the row has an answer."""
        no_answer = f"IFF({self.answer} IS NULL, '{NULL_ANSWER}', NULL)"
        return f"COALESCE(NULLIF({RAW.sql}:error::VARCHAR, ''), {no_answer})"
