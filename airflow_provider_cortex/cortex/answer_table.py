"""
The SQL that has a model answer a whole table inside Snowflake.

What costs is done once, in one statement, into a table in between; only when that is good is the destination
touched, by one statement, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from airflow_provider_cortex.cortex import completion, identifiers, source_query, sql
from airflow_provider_cortex.cortex.completion import NULL_ANSWER
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import ArgumentError, excerpt

RAW = Identifier("_CORTEX_RAW")
"""The column in between that holds what AI_COMPLETE returned: ``{value, error}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRequest:
    """
    What to answer, and where to put the answers.

    :param model: who answers.
    :param source: a table's name, or a query.
    :param destination: a table's name.
    :param prompt_column: the column of *source* that holds the prompts.
    :param prompt_expression: instead, an SQL expression over its columns, as the user wrote it.
    :param answer_column: the column of *destination* for the answers.
    :param error_column: the one for what went wrong, NULL for what did not.
    :param staging: the last part of the name of the table in between: see :meth:`of_task`.
    :raises ArgumentError: if one is of no use.
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
        # Refused now, rather than half-way.
        identifiers.qualified("destination", self.destination)
        self.ask()

    def of_task(self, *who: object) -> Self:
        """
        Return the same request of a task instance.

        The table in between is its own, and that of this request only: what is in it, an earlier try
        has paid for.
        """
        parts = identifiers.qualified("destination", self.destination)
        digest = hashlib.sha256(repr((who, self)).encode()).hexdigest()[:16].upper()
        return replace(self, staging=f"{parts[-1].folded[:200]}_CORTEX_{digest}")

    def note(self, query_id: str) -> dict[str, str]:
        """Return what a later try should know of the query that asks for this."""
        return {"query_id": query_id, "staging": self.staging}

    def own_query(self, noted: object) -> str | None:
        """Return the query of :meth:`note`, None if it is about something else."""
        match noted:
            case {"query_id": str(query_id), "staging": self.staging}:
                return query_id
        return None

    @property
    def answer(self) -> Identifier:
        return identifiers.column(self.answer_column)

    @property
    def error(self) -> Identifier:
        return identifiers.column(self.error_column)

    @property
    def prompt_argument(self) -> str:
        """Which argument says what to ask."""
        return "prompt_expression" if self.prompt_column is None else "prompt_column"

    @property
    def source_query(self) -> str:
        """The query for all that is to be answered."""
        return source_query.source("source", sql.text("source", self.source))

    @property
    def destination_query(self) -> str:
        """The query for all of the destination."""
        return f"SELECT * FROM {self._to}"  # noqa: S608 - a name

    @property
    def answered(self) -> str:
        """The query for all of the table in between."""
        return f"SELECT * FROM {self.between}"  # noqa: S608 - a name

    @property
    def between(self) -> str:
        """The table in between, which is where the destination is."""
        *place, _ = identifiers.qualified("destination", self.destination)
        return identifiers.sql((*place, Identifier(self.staging, is_quoted=True)))

    @property
    def _to(self) -> str:
        return identifiers.sql(identifiers.qualified("destination", self.destination))

    def prompts(self) -> Call:
        """Have Snowflake compile the prompts over the source, and run nothing."""
        sql = f"SELECT {self._prompt} FROM ({self.source_query}) LIMIT 0"  # noqa: S608 - the user's own SQL
        return Call(sql, (), only_reads=True)

    def ask(self) -> Call:
        """
        Have the model answer every row, once, into the table in between.

        https://docs.snowflake.com/sql-reference/functions/ai_complete: with ``return_error_details`` a row that
        fails does not fail the statement.
        """
        arguments, values = completion.ai_complete(
            model_parameters=self.model_parameters, response_format=self.response_format
        )
        # What follows a statement with values has its per cent signs doubled, for the driver.
        between, prompt, source = (
            sql.replace("%", "%%") for sql in (self.between, self._prompt, self.source_query)
        )
        return Call(
            f"CREATE OR REPLACE TRANSIENT TABLE {between} AS"  # noqa: S608 - as above
            f" SELECT *, AI_COMPLETE(model => %s, prompt => {prompt}, {arguments}) AS {RAW.sql}"
            f" FROM ({source})",
            (sql.text("model", self.model), *values),
        )

    def count(self) -> Call:
        """Count rows and errors in between, and return the commonest error."""
        return Call(
            f"SELECT COUNT(*), COUNT(error), MODE(error) FROM (SELECT {self._error} AS error"  # noqa: S608 - names
            f" FROM {self.between})",
            (),
            only_reads=True,
        )

    def create(self, columns: Iterable[str]) -> Call:
        """Make the destination, which must not be there."""
        return Call(f"CREATE TABLE {self._to} AS {self._answers(columns)}", ())

    def replace(self, columns: Iterable[str]) -> Call:
        """Make the destination, instead of what there is, for the same roles."""
        return Call(
            f"CREATE OR REPLACE TABLE {self._to} COPY GRANTS AS {self._answers(columns)}", ()
        )

    def append(self, columns: Iterable[str]) -> Call:
        """Add to the destination, by the columns' names."""
        columns = list(columns)
        names = ", ".join([*map(_quoted, columns), self.answer.sql, self.error.sql])
        return Call(f"INSERT INTO {self._to} ({names}) {self._answers(columns)}", ())

    def without_raw(self, columns: Iterable[str]) -> list[str]:
        """Return the source's columns, of those of the table in between."""
        return [name for name in columns if name != RAW.folded]

    def drop(self) -> Call:
        """Remove the table in between."""
        return Call(f"DROP TABLE IF EXISTS {self.between}", ())

    def check_source(self, columns: Sequence[str]) -> None:
        """
        Check that what the source has does not get in the way of what is added.

        :raises ArgumentError: by the name of the column that does.
        """
        for argument, name in ("answer_column", self.answer), ("error_column", self.error):
            if name.folded in columns:
                raise ArgumentError(
                    argument,
                    name.text,
                    f"is {name.folded}, which the source has already: name another one.",
                )
        if self.prompt_column and identifiers.column(self.prompt_column).folded not in columns:
            raise ArgumentError(
                "prompt_column",
                self.prompt_column,
                f"{self.prompt_column} is no column of the source, which has"
                f" {excerpt(', '.join(map(_quoted, columns)))}.",
            )
        if RAW.folded in columns:
            raise ArgumentError("source", self.source, f"must have no column {RAW.folded}.")

    def check_destination(self, columns: Sequence[str], source: Sequence[str]) -> None:
        """
        Check that all that is to be appended has its column.

        :raises ArgumentError: by the names of those that have none.
        """
        missing = [
            name for name in (*source, self.answer.folded, self.error.folded) if name not in columns
        ]
        if missing:
            raise ArgumentError(
                "destination",
                self.destination,
                f"{self.destination} has no column {', '.join(map(_quoted, missing))}, which is to be appended:"
                " let the source have fewer columns, or add it to the table.",
            )

    @property
    def _prompt(self) -> str:
        if self.prompt_column is not None:
            return identifiers.column(sql.text("prompt_column", self.prompt_column)).sql
        argument = "prompt_expression"
        return f"({source_query.without_terminator(argument, sql.text(argument, self.prompt_expression))})"

    @property
    def _error(self) -> str:
        """What went wrong with a row; NULL if nothing did."""
        nothing = f"IFF({RAW.sql}:value::VARCHAR IS NULL, '{NULL_ANSWER}', NULL)"
        return f"COALESCE(NULLIF({RAW.sql}:error::VARCHAR, ''), {nothing})"

    def _answers(self, columns: Iterable[str]) -> str:
        value = f"{RAW.sql}:value" if self.response_format else f"{RAW.sql}:value::VARCHAR"
        what = [
            *map(_quoted, columns),
            f"{value} AS {self.answer.sql}",
            f"{self._error} AS {self.error.sql}",
        ]
        return f"SELECT {', '.join(what)} FROM {self.between}"  # noqa: S608 - names


def _quoted(name: str) -> str:
    return Identifier(name, is_quoted=True).sql
