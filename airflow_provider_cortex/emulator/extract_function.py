"""
AI_EXTRACT.

https://docs.snowflake.com/en/sql-reference/functions/ai_extract
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_cortex.emulator import extraction_model, name_resolution
from airflow_provider_cortex.emulator.document_text import DocumentError, text_of
from airflow_provider_cortex.emulator.extraction_model import (
    EXTRACTION_MODEL,
    ExtractionModel,
    Found,
)
from airflow_provider_cortex.emulator.extraction_questions import Question, questions
from airflow_provider_cortex.emulator.fault_kinds import EXTRACT
from airflow_provider_cortex.emulator.faults import Fault, Faults
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    invalid_arguments,
    unknown_extraction_model,
)
from airflow_provider_cortex.emulator.staged_files import StagedFiles

NAMES = ("AI_EXTRACT", "SNOWFLAKE.CORTEX.AI_EXTRACT")

_OPTIONS = {"model", "responseformat", "config", "scores"}


@dataclass(frozen=True, slots=True)
class ExtractFunction:
    """The function, for one account."""

    jobs: JobRegistry
    faults: Faults
    files: StagedFiles

    def __call__(self, namespace: Namespace, *args: object, **named: object) -> str | None:
        """
        Return an object with the answers, or with an error; NULL for a document that is NULL.

        :raises SqlError: for wrong arguments, and a model that does not exist.
        """
        document, options = _arguments(args, named)
        tuned = self._model(namespace, options.get("model"))
        asked = _asked(options, tuned)
        if document is None:
            return None
        fault = self.faults.strike(EXTRACT, _target(document))
        if fault and fault.kind == "null":
            return None
        # Guess extract-error: the answer to a document that cannot be read has the reason as its
        # error, and no response. That it has an error is documented; the texts are ours. If wrong:
        # such an answer looks different in a real account. No live check: it would need a stage with a
        # broken file.
        try:
            found = self._found(document, asked, tuned, fault)
        except DocumentError as error:
            return json.dumps({"error": str(error), "response": None})
        return json.dumps(_result(found, with_scores=bool(options.get("scores"))))

    def _found(
        self,
        document: str | dict[str, object],
        asked: Sequence[Question],
        tuned: ExtractionModel | None,
        fault: Fault | None,
    ) -> dict[str, Found]:
        """:raises DocumentError: if the document cannot be read."""
        if fault and fault.kind == "error":
            raise DocumentError(fault.error.message)
        if fault:
            return {each.label: Found(fault.parameters["text"], 0.0) for each in asked}
        text = document if isinstance(document, str) else self._text(document)
        find = tuned.extract if tuned else extraction_model.untuned
        return {each.label: find(text, each) for each in asked}

    def _model(self, namespace: Namespace, name: object) -> ExtractionModel | None:
        """Return the tuned model of this name; None for the untuned one."""
        if name is None or name == EXTRACTION_MODEL:
            return None
        model = self.jobs.model(name_resolution.qualified(str(name), namespace))
        if not isinstance(model, ExtractionModel):
            raise unknown_extraction_model(str(name))
        return model

    def _text(self, file: object) -> str:
        found = self.files.of_value(file)
        if found is None:
            message = f"The file does not exist on the stage: {json.dumps(file)}"
            raise DocumentError(message)
        return text_of(found.path, found.local.read_bytes())


def _arguments(
    args: tuple[object, ...], named: Mapping[str, object]
) -> tuple[str | dict[str, object] | None, dict[str, object]]:
    """
    Return the document, and the other arguments by name, in small letters.

    :raises SqlError: for arguments that are not documented.
    """
    match args, dict(named):
        # Snowpark sends the options by name after two arguments by position.
        case (str() | dict() | None as document, response_format), {**options} if (
            options.keys() <= _OPTIONS - {"responseformat"}
        ):
            return document, {**options, "responseformat": response_format}
        case (), {"file": dict() | None as document, **options} if options.keys() <= _OPTIONS:
            return document, options
        case (), {"text": str() | None as document, **options} if options.keys() <= _OPTIONS:
            return document, options
    raise invalid_arguments(of="AI_EXTRACT", got=[*args, dict(named)])


def _asked(options: Mapping[str, object], tuned: ExtractionModel | None) -> Sequence[Question]:
    """Return the questions: those of the call, or else those of a tuned model."""
    if options.get("responseformat") is not None:
        return questions(options["responseformat"])
    if tuned is None:
        raise invalid_arguments(of="AI_EXTRACT", got=dict(options))
    return tuned.questions


def _target(document: str | dict[str, object]) -> str:
    """Return what a fault for some documents only looks at: the path of a file, or the text."""
    if isinstance(document, str):
        return document
    return f"{document.get('STAGE')}/{document.get('RELATIVE_PATH')}"


def _result(found: Mapping[str, Found], *, with_scores: bool) -> dict[str, object]:
    result: dict[str, object] = {
        "error": None,
        "response": {label: each.answer for label, each in found.items()},
    }
    if with_scores:
        # Guess extract-scores: each label has an object with a score, also for lists and tables.
        # Documented is that there is a score for each field, and an aggregate one for a list or
        # table. If wrong: scores are read from another place in a real account.
        result["scoring"] = {label: {"score": each.score} for label, each in found.items()}
    return result
