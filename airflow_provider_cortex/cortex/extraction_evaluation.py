"""The SQL that has several models extract from the same files, and scores what they found."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cortex.cortex.completion import FunctionCall
from airflow_provider_cortex.cortex.evaluation import EXACT, FOLDED, EvaluationRequest
from airflow_provider_cortex.cortex.extraction import Extractor
from airflow_provider_cortex.cortex.response_format import ResponseFormat
from airflow_provider_cortex.cortex.sql import Call, for_binding
from airflow_provider_cortex.cortex.staged_statement import create_staging

FIELDS = "fields"
"""The score that is the share of a document's fields that are right."""

_OF_FIELDS = {EXACT: '"_ALL"', FIELDS: '"_SHARE"'}
"""The scores that are made from the fields."""

_VALUE = f"COALESCE(NULLIF({FOLDED}, 'none'), '')"
"""
A field's value, folded; empty if it is missing. Snowflake answers ``None`` for what is not in a
document (guess extract-none).
"""


@dataclass(frozen=True, kw_only=True)
class ExtractionEvaluationRequest(EvaluationRequest):
    """
    Which models to ask, about which files, and how to score their answers.

    The expected answers are JSON objects, as in the column RESPONSE of a data set. A field is right
    if its answer equals the expected one, but for case and white space.

    :param prompt_column: the column of *data* with the files' paths.
    :param questions: what to extract; None for what the models were tuned with.
    :param score: ``exact``: 1 for a document with all fields right, else 0. ``fields``: the share
        of its fields that are right. Or as for other models, over the objects as text.
    """

    questions: ResponseFormat | None = None

    @property
    def input_argument(self) -> str:
        """The argument that names the column with the files' paths."""
        return "file_column"

    @property
    def _answers_key(self) -> tuple[object, ...]:
        return (*super()._answers_key, self.questions)

    def _asked(self, model: str) -> FunctionCall:
        """Return the call that asks a model for a file, and the values that it binds."""
        return Extractor(model=model, questions=self.questions).of_file("prompt")

    def _answer_columns(self, raw: str) -> str:
        """Return the columns with what a call returned; AI_EXTRACT reports no tokens."""
        return (
            f'"{raw}":response::VARCHAR AS answer, NULLIF("{raw}":error::VARCHAR, \'\') AS "_ERROR",'
            " NULL::INT AS prompt_tokens, NULL::INT AS completion_tokens"
        )

    def _stage_scores(self, table: str, answers: str) -> Call:
        if self.score not in _OF_FIELDS:
            return super()._stage_scores(table, answers)
        return Call(
            f"{for_binding(create_staging(table))} WITH asked AS ({self._all_answers(answers)}),"  # noqa: S608 - names
            ' documents AS (SELECT "_ROW", "_MODEL", AVG(is_right) AS "_SHARE",'
            f' MIN(is_right) AS "_ALL" FROM ({_fields("asked")}) GROUP BY 1, 2)'
            f' SELECT asked.*, documents.{_OF_FIELDS[self.score]} AS "_RAW_SCORE" FROM asked'
            ' LEFT JOIN documents ON asked."_ROW" = documents."_ROW"'
            ' AND asked."_MODEL" = documents."_MODEL"',
            self._model_values,
        )

    @property
    def _compiled(self) -> str:
        return "NULL" if self.score in _OF_FIELDS else super()._compiled

    def count_unreadable(self) -> Call:
        """Return the statement for how many expected answers are not a JSON object, and for one."""
        problem = "NOT COALESCE(LEFT(TO_JSON(TRY_PARSE_JSON(expected)), 1) = '{', FALSE)"
        return Call(
            f"SELECT COUNT(*), MIN(expected) FROM ({self._rows}) WHERE expected IS NOT NULL AND {problem}",  # noqa: S608 - the user's own SQL
            (),
            only_reads=True,
        )

    def summarize_fields(self) -> Call:
        """Return the statement for the share of right answers: model's number, label, share."""
        return Call(
            f"WITH comparable AS ({self._comparable})"  # noqa: S608 - names
            ' SELECT "_MODEL", label, AVG(is_right) FROM'
            f" ({_fields('comparable')} WHERE comparable.counts) GROUP BY 1, 2 ORDER BY 2, 1",
            (),
            only_reads=True,
        )


def _fields(rows: str) -> str:
    """Return the query for each field of each document and model, and whether it is right."""
    expected, found = (
        _VALUE.format(value)
        for value in ("field.value::VARCHAR", f"TRY_PARSE_JSON({rows}.answer)[field.key]::VARCHAR")
    )
    return (
        f'SELECT {rows}."_ROW", {rows}."_MODEL", field.key AS label,'  # noqa: S608 - names
        f" IFF({rows}.answer IS NOT NULL AND {found} = {expected}, 1, 0) AS is_right"
        f" FROM {rows}, LATERAL FLATTEN(INPUT => TRY_PARSE_JSON({rows}.expected)) AS field"
    )
