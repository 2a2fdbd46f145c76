"""Reads a job's training data as Cortex does: in a query of its own, after CREATE."""

import uuid
from collections.abc import Callable

from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.tracked_job import Job, JobError
from airflow_provider_cortex.emulator.tuned_model import Pair, TunedModel

_EPOCHS = range(1, 11)

QueryResult = tuple[list[str], list[tuple[object, ...]]]
"""Column names and rows."""

RunQuery = Callable[[str], QueryResult]
"""Runs a query in the namespace in which the job was created."""


class DataError(Exception):
    """The data or the options are not fit for tuning; the text says why."""


def train(job: Job, *, run_query: RunQuery) -> TunedModel | JobError:
    """Return the model that *job* produces, or why it fails."""
    try:
        chosen = epochs(job, allowed=_EPOCHS)
        training = _pairs(job.training_data, run_query)
        validation = _pairs(job.validation_data, run_query) if job.validation_data else ()
    except DataError as error:
        return JobError(code="INVALID_PARAMETER_VALUE", message=str(error))
    return TunedModel(training, validation_pairs=validation, epochs=chosen)


def _pairs(sql: str, run_query: RunQuery) -> tuple[Pair, ...]:
    # The wrapping and the message are those of a captured answer, in snowflake-ml-python's
    # snowflake/cortex/finetune_test.py. The wrapping is why a trailing semicolon fails the job.
    wrapped = f'SELECT "PROMPT", "COMPLETION" FROM ({sql})'  # noqa: S608 - as Cortex does
    failed = f"Failed to query input data for Fine-tuning. Failed to execute query: {wrapped}. "
    try:
        _, rows = run_query(wrapped)
    except ProgrammingError as error:
        raise DataError(failed + _quoted(error)) from error
    if not rows:
        # Guess rows-required: data without rows fails the job. The message is ours. If wrong: a
        # real job trains with nothing, or CREATE rejects it.
        raise DataError(failed + "The query returned no rows.")
    return tuple((_text(prompt), _text(completion)) for prompt, completion in rows)


def _quoted(error: ProgrammingError) -> str:
    """Quote an SQL error as the captured answer does: number, state, query id, message."""
    return f"{error.errno:06d} ({error.sqlstate}): {uuid.uuid4()}: {error.raw_msg}."


def _text(value: object) -> str:
    return "" if value is None else str(value)


def epochs(job: Job, *, allowed: range) -> int:
    """
    Return the number of epochs that a job's options ask for.

    :raises DataError: for another number than those that are allowed.
    """
    options = job.options or {}
    asked = options.get("max_epochs", TunedModel.epochs)
    if isinstance(asked, int) and asked in allowed:
        return asked
    # Guess epochs-fail-job: a number of epochs other than the documented ones, 1 to 10 or for
    # arctic-extract 2 to 10, fails the job, and not CREATE. If wrong: CREATE rejects it, or the
    # job trains. CortexFineTuneOperator sends none.
    least, most = allowed[0], allowed[-1]
    message = f"Invalid value for max_epochs: {asked}. It must be between {least} and {most}."
    raise DataError(message)
