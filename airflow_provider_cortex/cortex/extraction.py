"""
Extract values from documents with Cortex's function AI_EXTRACT, and read its answers.

Source: https://docs.snowflake.com/en/sql-reference/functions/ai_extract
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex import identifiers, stage_path
from airflow_provider_cortex.cortex.completion import NULL_ANSWER, FunctionCall
from airflow_provider_cortex.cortex.finetune_request import EXTRACTION_MODEL
from airflow_provider_cortex.cortex.json_decoding import decode_object
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.response_format import ARGUMENT, ResponseFormat
from airflow_provider_cortex.cortex.sql import Call, to_json
from airflow_provider_cortex.errors import ArgumentError, UnreadableAnswerError

NO_FILE = "there is no such file on a stage that the role can read"

_FILE_OF_LIST = "item.value::VARCHAR"
"""One path of a list, in the statement for all of them."""


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """
    A model, and what it is asked for.

    :param model: a tuned model by the name that Cortex returned; None, or ``arctic-extract``, for
        the base model.
    :param questions: what to extract; None for the questions that the model was tuned with.
    :param scores: have the model's confidence in each answer reported.
    :raises ArgumentError: if the base model gets no questions.
    """

    model: str | None
    questions: ResponseFormat | None = None
    scores: bool = False

    def __post_init__(self) -> None:
        if self.is_base and self.questions is None:
            raise ArgumentError(
                ARGUMENT,
                None,
                f"is needed: {EXTRACTION_MODEL} knows no questions of its own, as a tuned model does.",
            )

    @property
    def is_base(self) -> bool:
        """Whether the base model is asked: by a call that names no model."""
        return self.model is None or self.model.strip().lower() == EXTRACTION_MODEL

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return self.model or EXTRACTION_MODEL

    # Guess extract-parameters: AI_EXTRACT accepts `PARSE_JSON(…)` for responseFormat, and a path
    # that is a column's value for its file. Snowflake's page shows literals, and paths from a
    # directory table. If wrong: CortexExtractOperator fails with Snowflake's message. No live check:
    # it would need a file on a stage; the other checks send PARSE_JSON.
    def of_file(self, path: str) -> FunctionCall:
        """
        Return the SQL that extracts from a file: an object ``{response, error}``.

        A file that does not exist is an error of its own row (guess missing-file). Source:
        https://docs.snowflake.com/en/sql-reference/functions/try_to_file

        :param path: an expression in SQL for the file's path on a stage.
        """
        function, values = self._function(f"file => TRY_TO_FILE({path})")
        missing = f"OBJECT_CONSTRUCT('error', '{NO_FILE}')"
        return f"IFF(TRY_TO_FILE({path}) IS NULL, {missing}, {function})", values

    def of_text(self, document: str) -> FunctionCall:
        """Return the SQL that extracts from a text."""
        return self._function("text => %s", text("text", document))

    def _function(self, document: str, *values: str) -> FunctionCall:
        arguments = [document]
        if not self.is_base:
            arguments.insert(0, "model => %s")
            values = (text("model", identifiers.without_at(self.name)), *values)
        if self.questions is not None:
            arguments.append("responseFormat => PARSE_JSON(%s)")
            values = (*values, self.questions.json)
        if self.scores:
            arguments.append("scores => TRUE")
        return f"AI_EXTRACT({', '.join(arguments)})", values


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """
    What a model has found in one document.

    :param answers: each label's answer; None if there is an error.
    :param scores: the model's confidence in each answer, as Cortex reports it.
    :param error: why there are no answers.
    """

    answers: Mapping[str, Any] | None = None
    scores: Any = None
    error: str | None = None


def of_files(extractor: Extractor, paths: Sequence[str]) -> Call:
    """
    Return the statement for files: one row for each, in their order.

    :raises ArgumentError: if a path is none.
    """
    for path in paths:
        stage_path.read("files", path)
    function, values = extractor.of_file(_FILE_OF_LIST)
    sql = f"SELECT {function} FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index"  # noqa: S608 - no input
    return Call(sql, (*values, to_json("files", [path.strip() for path in paths])))


def of_text(extractor: Extractor, document: str) -> Call:
    """Return the statement for one text."""
    function, values = extractor.of_text(document)
    return Call(f"SELECT {function}", values)


# Guess extract-answer: AI_EXTRACT returns `{"response": {label: answer}, "error": message}`, and
# with scores also `scoring`. Public queries read `:response:<label>`; the rest is not documented.
# If wrong: CortexExtractOperator fails, since it cannot read the answer.
def read(cell: object) -> Extraction:
    """
    Return what a call found, or its error.

    :raises UnreadableAnswerError: if the answer has another form (guess extract-answer).
    """
    if cell is None:
        return Extraction(error=NULL_ANSWER)
    match decode_object(cell):
        case {"error": str(error)} if error:
            return Extraction(error=error)
        case {"response": Mapping() as answers, **others}:
            return Extraction(answers=answers, scores=others.get("scoring"))
    raise UnreadableAnswerError("which should have a response or an error", cell)
