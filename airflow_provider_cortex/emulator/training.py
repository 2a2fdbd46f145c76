"""Reading a job's training data, the way Cortex does: as a query of its own, after CREATE."""

import uuid
from collections.abc import Callable

from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.job import Failure, Job
from airflow_provider_cortex.emulator.model import Pair, TunedModel

_EPOCHS = range(1, 11)

Table = tuple[list[str], list[tuple[object, ...]]]
"""Column names and rows."""

Query = Callable[[str], Table]
"""Runs a query where its job was created."""


class _DataError(Exception):
    """The data is not fit for tuning."""


def read(job: Job, *, query: Query) -> TunedModel | Failure:
    """Return the model that *job* leads to, or why it cannot."""
    try:
        epochs = _epochs(job)
        training = _pairs(job.training_data, query=query)
        validation = _pairs(job.validation_data, query=query) if job.validation_data else ()
    except _DataError as error:
        return Failure(code="INVALID_PARAMETER_VALUE", message=str(error))
    return TunedModel(training, validation_pairs=validation, epochs=epochs)


def _pairs(sql: str, *, query: Query) -> tuple[Pair, ...]:
    # The wrapping and the words are those of a captured answer, in
    # snowflake-ml-python's snowflake/cortex/finetune_test.py. It is why a trailing
    # semicolon, harmless elsewhere, fails the job.
    wrapped = f'SELECT "PROMPT", "COMPLETION" FROM ({sql})'  # noqa: S608 - as Cortex does
    failed = f"Failed to query input data for Fine-tuning. Failed to execute query: {wrapped}. "
    try:
        _, rows = query(wrapped)
    except ProgrammingError as error:
        raise _DataError(failed + _quoted(error.errno, error.sqlstate, error.raw_msg)) from error
    if not rows:
        # Guess: that no rows are an error at all; the words are ours.
        raise _DataError(failed + "The query returned no rows.")
    return tuple((_text(prompt), _text(completion)) for prompt, completion in rows)


def _quoted(errno: int | None, sqlstate: str | None, message: str | None) -> str:
    """Quote an SQL error as the captured answer does: number, state, query id, message."""
    return f"{errno:06d} ({sqlstate}): {uuid.uuid4()}: {message}."


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _epochs(job: Job) -> int:
    options = job.options or {}
    epochs = options.get("max_epochs", TunedModel.epochs)
    if isinstance(epochs, int) and epochs in _EPOCHS:
        return epochs
    # 1 to 10 is documented; that the job fails, and not CREATE, is a guess.
    message = f"Invalid value for max_epochs: {epochs}. It must be between 1 and 10."
    raise _DataError(message)
