"""Reads the dataset and the documents of a job that tunes arctic-extract."""

import json
from collections.abc import Mapping

from airflow_provider_cortex.emulator import staged_files
from airflow_provider_cortex.emulator.datasets import Datasets, DatasetVersion
from airflow_provider_cortex.emulator.document_text import DocumentError, text_of
from airflow_provider_cortex.emulator.extraction_model import Example, ExtractionModel
from airflow_provider_cortex.emulator.extraction_questions import questions
from airflow_provider_cortex.emulator.sql_errors import SqlError
from airflow_provider_cortex.emulator.staged_files import StagedFiles
from airflow_provider_cortex.emulator.tracked_job import Job, JobError
from airflow_provider_cortex.emulator.training import DataError, epochs

_EPOCHS = range(2, 11)
_COLUMNS = ("file", "prompt", "response")


def train(job: Job, *, datasets: Datasets, files: StagedFiles) -> ExtractionModel | JobError:
    """Return the model that *job* produces, or why it fails."""
    reader = _Reader(job, datasets, files)
    # Guess extraction-data-fails-job: like a query (guess rows-required), a dataset that does not
    # exist, has other columns, or names missing files fails the job, and not CREATE. The messages
    # are ours. If wrong: CREATE rejects it, and no job is started.
    try:
        chosen = epochs(job, allowed=_EPOCHS)
        training = reader.examples(job.training_data)
        validation = reader.examples(job.validation_data) if job.validation_data else ()
    except (DataError, SqlError, DocumentError) as error:
        message = error.message if isinstance(error, SqlError) else str(error)
        return JobError(code="INVALID_PARAMETER_VALUE", message=message)
    return ExtractionModel(training, validation_examples=validation, epochs=chosen)


class _Reader:
    def __init__(self, job: Job, datasets: Datasets, files: StagedFiles) -> None:
        self._job = job
        self._datasets = datasets
        self._files = files

    def examples(self, uri: str) -> tuple[Example, ...]:
        version = self._datasets.at(uri.strip(), self._job.namespace)
        rows = _rows(version)
        if not rows:
            message = f"The dataset has no rows: {uri}"
            raise DataError(message)
        return tuple(self._example(*row) for row in rows)

    def _example(self, file: object, prompt: object, response: object) -> Example:
        asked = tuple(questions(_json(prompt, "prompt")))
        answers = _json(response, "response")
        labels = {question.label for question in asked}
        if not isinstance(answers, Mapping) or answers.keys() != labels:
            message = f"The keys of response and prompt differ: {response} and {prompt}"
            raise DataError(message)
        return Example(self._text(str(file)), asked, answers)

    def _text(self, file: str) -> str:
        at = staged_files.location(file, self._job.namespace)
        found = self._files.find(*at) if at else None
        if found is None:
            message = f"The file does not exist on the stage: {file}"
            raise DataError(message)
        return text_of(found.path, found.local.read_bytes())


def _rows(version: DatasetVersion) -> list[tuple[object, ...]]:
    """Return file, prompt and response of each row."""
    positions = {name.lower(): number for number, name in enumerate(version.columns)}
    if missing := [name for name in _COLUMNS if name not in positions]:
        message = f"The dataset has no column {', '.join(missing)}."
        raise DataError(message)
    return [tuple(row[positions[name]] for name in _COLUMNS) for row in version.rows]


def _json(value: object, column: str) -> object:
    if not isinstance(value, str):
        return value
    try:
        decoded: object = json.loads(value)
    except json.JSONDecodeError as error:
        message = f"The column {column} has no JSON: {value}"
        raise DataError(message) from error
    return decoded
