"""
The SQL that has a model answer all rows of a table inside Snowflake.

One statement asks the model, which costs, and writes the answers into a staging table. Only if
they are good enough, another statement writes them into the destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from airflow_provider_cortex.cortex import completion, identifiers
from airflow_provider_cortex.cortex.completion import NULL_ANSWER
from airflow_provider_cortex.cortex.destination import Destination, quoted
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.source_query import as_query, without_terminator
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
"""The column of the staging table that holds what AI_COMPLETE returned: ``{value, error}``."""


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """
    What to answer, and where to put the answers.

    :param model: the model that answers.
    :param source: a table's name, or a query.
    :param destination: a table's name.
    :param prompt_column: the column of *source* that holds the prompts.
    :param prompt_expression: instead, an SQL expression over its columns, as the user wrote it.
    :param answer_column: the column of *destination* for the answers.
    :param error_column: its column for the errors; NULL in a row that has an answer.
    :param staging: the staging table's name, without database and schema; see :meth:`of_task`.
    :raises ArgumentError: if an argument is invalid.
    """

    model: str
    source: str
    destination: str
    prompt_column: str | None
    prompt_expression: str | None
    answer_column: str
    error_column: str
    model_parameters: Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    staging: str = "CORTEX_ANSWERS"

    def __post_init__(self) -> None:
        if self.answer.folded == self.error.folded:
            raise ArgumentError(
                "error_column", self.error_column, "must be another column than answer_column."
            )
        _ = self.statement  # validates the other arguments

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
        return StagedStatement(
            name=self.staging,
            schema=self.destination_table.parts[:-1],
            call=self._create_staging(),
            about=f"have model {self.model} answer {self.source}",
        )

    @property
    def destination_table(self) -> Destination:
        return Destination(self.destination)

    @property
    def answer(self) -> Identifier:
        return identifiers.parse_or_quote(self.answer_column)

    @property
    def error(self) -> Identifier:
        return identifiers.parse_or_quote(self.error_column)

    @property
    def prompt_argument(self) -> str:
        """The argument that defines the prompts."""
        return "prompt_expression" if self.prompt_column is None else "prompt_column"

    @property
    def source_query(self) -> str:
        """The query for all rows of the source."""
        return as_query("source", text("source", self.source))

    def compile_prompts(self) -> Call:
        """Return the statement that compiles the prompts without asking the model."""
        sql = f"SELECT {self._prompt} FROM ({self.source_query}) LIMIT 0"  # noqa: S608 - the user's own SQL
        return Call(sql, (), only_reads=True)

    def _create_staging(self) -> Call:
        """
        With ``return_error_details`` a row that fails does not fail the statement. Source:
        https://docs.snowflake.com/sql-reference/functions/ai_complete
        """
        arguments, values = completion.ai_complete_arguments(
            model_parameters=self.model_parameters, response_format=self.response_format
        )
        create, prompt, source = map(
            for_binding, (create_staging(self._staging_table), self._prompt, self.source_query)
        )
        return Call(
            f"{create} SELECT *, AI_COMPLETE(model => %s, prompt => {prompt}, {arguments}) AS {RAW.sql}"  # noqa: S608 - as above
            f" FROM ({source})",
            (text("model", self.model), *values),
        )

    def count_errors(self) -> Call:
        """Return the statement for the counts of rows and errors, and the most frequent error."""
        return Call(
            "SELECT COUNT(*), COUNT(error), MODE(error)"  # noqa: S608 - names
            f" FROM (SELECT {self._error_sql} AS error FROM {self._staging_table})",
            (),
            only_reads=True,
        )

    def write(self, if_exists: str, source_columns: Iterable[str]) -> Call:
        """Return the statement that writes the answers into the destination."""
        columns = list(source_columns)
        names = [*columns, self.answer.folded, self.error.folded]
        return self.destination_table.write(if_exists, names, self._answers(columns))

    def source_columns(self, staging_columns: Iterable[str]) -> list[str]:
        """Return those columns of the staging table that come from the source."""
        return [name for name in staging_columns if name != RAW.folded]

    def check_source(self, columns: Sequence[str]) -> None:
        """
        Check that the source has the prompts, and no column with the name of an added one.

        :raises ArgumentError: if not.
        """
        for argument, name in ("answer_column", self.answer), ("error_column", self.error):
            if name.folded in columns:
                raise ArgumentError(
                    argument,
                    name.text,
                    f"is {name.folded}, but the source already has this column: choose another"
                    " name.",
                )
        if (
            self.prompt_column
            and identifiers.parse_or_quote(self.prompt_column).folded not in columns
        ):
            raise ArgumentError(
                "prompt_column",
                self.prompt_column,
                f"{self.prompt_column} is not a column of the source, which has"
                f" {excerpt(', '.join(map(quoted, columns)))}.",
            )
        if RAW.folded in columns:
            raise ArgumentError("source", self.source, f"must not have a column {RAW.folded}.")

    @property
    def _staging_table(self) -> str:
        return staging_table(self.destination_table.parts[:-1], self.staging)

    @property
    def _prompt(self) -> str:
        if self.prompt_column is not None:
            return identifiers.parse_or_quote(text("prompt_column", self.prompt_column)).sql
        argument = "prompt_expression"
        expression = text(argument, self.prompt_expression)
        return f"({without_terminator(argument, expression)})"

    @property
    def _error_sql(self) -> str:
        """The expression for a row's error; NULL if the row has an answer."""
        no_answer = f"IFF({RAW.sql}:value::VARCHAR IS NULL, '{NULL_ANSWER}', NULL)"
        return f"COALESCE(NULLIF({RAW.sql}:error::VARCHAR, ''), {no_answer})"

    def _answers(self, columns: Iterable[str]) -> str:
        value = f"{RAW.sql}:value" if self.response_format else f"{RAW.sql}:value::VARCHAR"
        expressions = [
            *map(quoted, columns),
            f"{value} AS {self.answer.sql}",
            f"{self._error_sql} AS {self.error.sql}",
        ]
        return f"SELECT {', '.join(expressions)} FROM {self._staging_table}"  # noqa: S608 - names
