"""The SQL that has a model extract values from all files of a directory, or of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_cortex.cortex import identifiers, stage_path
from airflow_provider_cortex.cortex.completion import FunctionCall
from airflow_provider_cortex.cortex.extraction import Extractor
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.sql import for_binding, literal
from airflow_provider_cortex.cortex.table_request import RAW, Added, TableRequest
from airflow_provider_cortex.errors import ArgumentError

SCORES = "scores"
"""The column for the model's confidence in its answers."""


@dataclass(frozen=True, kw_only=True)
class ExtractTableRequest(TableRequest):
    """
    What to extract, and where to put it.

    :param extractor: the model, and its questions.
    :param file_column: the column of *source* that holds the files' paths. If *source* is a
        directory on a stage, the column that gets them.
    :param answer_column: the column of *destination* for all answers of a file, as an object; None
        for a column for each of them.
    :raises ArgumentError: if an argument is invalid.
    """

    extractor: Extractor
    file_column: str
    answer_column: str | None

    @property
    def about(self) -> str:
        """What the statement does."""
        return f"have model {self.extractor.name} read {self.source}"

    @property
    def is_directory(self) -> bool:
        """Whether the source is a directory on a stage."""
        return stage_path.is_stage_path(self.source)

    @property
    def source_query(self) -> str:
        """The query for all files."""
        if not self.is_directory:
            return super().source_query
        files = stage_path.read("source", self.source).files
        return f"SELECT {stage_path.FILE} AS {self.input} FROM ({files})"  # noqa: S608 - names

    @property
    def asked(self) -> FunctionCall:
        """The call for a file."""
        return self.extractor.of_file(for_binding(self.input))

    @property
    def answers(self) -> Sequence[Added]:
        """One column for each answer, or one for all."""
        response = f"{RAW.sql}:response"
        if self.answer_column is not None:
            name = identifiers.parse_or_quote(self.answer_column)
            found = [Added("answer_column", name, response)]
        else:
            found = self._of_labels(response)
        if self.extractor.scores:
            found.append(Added("scores", identifiers.parse_or_quote(SCORES), f"{RAW.sql}:scoring"))
        return found

    def _of_labels(self, response: str) -> list[Added]:
        questions = self.extractor.questions
        if questions is None:
            raise ArgumentError(
                "answer_column",
                None,
                "is needed without response_format: then no column for each answer can be named.",
            )
        return [
            Added(
                "response_format",
                identifiers.parse_or_quote(label),
                f"{response}[{literal(label)}]{'' if label in questions.objects else '::VARCHAR'}",
            )
            for label in questions.labels
        ]

    @property
    def answer(self) -> str:
        """All answers."""
        return f"{RAW.sql}:response::VARCHAR"

    @property
    def input_argument(self) -> str:
        """The argument that names the files' column."""
        return "file_column"

    @property
    def input(self) -> str:
        """The column of the files' paths."""
        return identifiers.parse_or_quote(text("file_column", self.file_column)).sql

    @property
    def hint_if_empty(self) -> str:
        """What may be wrong if a directory has no files."""
        if not self.is_directory:
            return ""
        return (
            f"{self.source} has no files, as the stage's directory table says. It knows the files"
            " of its last refresh: ALTER STAGE … REFRESH"
        )

    def check_source(self, columns: Sequence[str]) -> None:
        """
        Check that the source has the files, and no column with the name of an added one.

        :raises ArgumentError: if not.
        """
        super().check_source(columns)
        self.check_column("file_column", self.file_column, columns)
