"""The SQL that has a model answer all rows of a table inside Snowflake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex import completion, identifiers
from airflow_provider_cortex.cortex.completion import FunctionCall
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.source_query import without_terminator
from airflow_provider_cortex.cortex.sql import for_binding
from airflow_provider_cortex.cortex.table_request import RAW, Added, TableRequest


@dataclass(frozen=True, kw_only=True)
class AnswerTableRequest(TableRequest):
    """
    What to answer, and where to put the answers.

    :param model: the model that answers.
    :param prompt_column: the column of *source* that holds the prompts.
    :param prompt_expression: instead, an SQL expression over its columns, as the user wrote it.
    :param answer_column: the column of *destination* for the answers.
    :raises ArgumentError: if an argument is invalid.
    """

    model: str
    prompt_column: str | None
    prompt_expression: str | None
    answer_column: str
    model_parameters: Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None

    @property
    def about(self) -> str:
        """What the statement does."""
        return f"have model {self.model} answer {self.source}"

    @property
    def asked(self) -> FunctionCall:
        """
        The call for a row.

        With ``return_error_details`` a row that fails does not fail the statement. Source:
        https://docs.snowflake.com/sql-reference/functions/ai_complete
        """
        arguments, values = completion.ai_complete_arguments(
            model_parameters=self.model_parameters, response_format=self.response_format
        )
        call = f"AI_COMPLETE(model => %s, prompt => {for_binding(self.input)}, {arguments})"
        return call, (text("model", self.model), *values)

    @property
    def answers(self) -> Sequence[Added]:
        """The column for the answers."""
        value = f"{RAW.sql}:value" if self.response_format else self.answer
        name = identifiers.parse_or_quote(self.answer_column)
        return (Added("answer_column", name, value),)

    @property
    def answer(self) -> str:
        """The answer as text."""
        return f"{RAW.sql}:value::VARCHAR"

    @property
    def input_argument(self) -> str:
        """The argument that defines the prompts."""
        return "prompt_expression" if self.prompt_column is None else "prompt_column"

    @property
    def input(self) -> str:
        """The expression for a prompt."""
        if self.prompt_column is not None:
            return identifiers.parse_or_quote(text("prompt_column", self.prompt_column)).sql
        argument = "prompt_expression"
        expression = text(argument, self.prompt_expression)
        return f"({without_terminator(argument, expression)})"

    def check_source(self, columns: Sequence[str]) -> None:
        """
        Check that the source has the prompts, and no column with the name of an added one.

        :raises ArgumentError: if not.
        """
        super().check_source(columns)
        if self.prompt_column:
            self.check_column("prompt_column", self.prompt_column, columns)
