"""
Fine-tuning jobs of one Snowflake account: create, list, describe, cancel.

Everything that is FINETUNE's own is here and in :mod:`~airflow_provider_cortex.cortex.job`: its
SQL, how its answers are read, and what one rejected job means for the others. A second backend
would offer the same methods.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from airflow_provider_cortex.cortex import job
from airflow_provider_cortex.cortex.describe_batches import DescribeBatches
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.sql import Call, json_text, subquery
from airflow_provider_cortex.errors import (
    TRANSIENT_ERRORS,
    CortexError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
    error_about,
)

log = logging.getLogger(__name__)

JobOrError = FineTuneJob | CortexError

MAX_UNANSWERED = 2
"""After so many unanswered statements in a row no other one is sent: each may take a minute."""


class StatementRunner(Protocol):
    """What runs the statements: :class:`~airflow_provider_cortex.hooks.CortexHook`."""

    @property
    def last_query_id(self) -> str | None:
        """The last answered statement, by its id in Snowflake's query history."""

    @property
    def is_open(self) -> bool:
        """Whether a session is open."""

    def open(self) -> None:
        """Log in, unless a session is open."""

    def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
        """Return the only row of an answer, which has *width* cells."""

    def sentence(self, call: Call, *, about: str) -> str:
        """Return the only cell of an answer, which is text."""


class FineTuneJobs:
    """
    The fine-tuning jobs of the account that a session is logged in to.

    Every method raises the errors of :class:`~airflow_provider_cortex.hooks.CortexHook`.

    :param runner: the session.
    :param batch_size: the most jobs that one statement describes.
    """

    def __init__(self, runner: StatementRunner, *, batch_size: int) -> None:
        self._runner = runner
        self._batches = DescribeBatches(batch_size)
        self._unanswered = 0
        """Unanswered statements in a row."""

    def create(
        self,
        model: str,
        base_model: str,
        training_data: str,
        *,
        validation_data: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """Start a job and return its id; for the arguments see ``CortexHook.create``."""
        call = create_call(
            model, base_model, training_data, validation_data=validation_data, options=options
        )
        about = f"create a fine-tuning job for model {model}"
        return self._runner.sentence(call, about=about).strip('"')

    def list_all(self, *, skip_unreadable: bool = False) -> tuple[FineTuneJob, ...]:
        """
        Return all jobs of the account, each with its id, status, base model and creation time.

        :param skip_unreadable: leave out entries that are no jobs, instead of raising.
        """
        (answer,) = self._runner.row(show_call(), width=1, about="show the fine-tuning jobs")
        return job.parse_list(answer, skip_unreadable=skip_unreadable)

    def cancel(self, job_id: str) -> str:
        """Cancel a job and return Cortex's sentence about it."""
        return self._runner.sentence(cancel_call(job_id), about=f"cancel fine-tuning job {job_id}")

    def get(self, job_id: str) -> FineTuneJob:
        """Describe one job; its error is raised."""
        try:
            (outcome,) = self.describe(job_id).values()
        except (RejectedError, UnreachableError) as error:  # a login's does not name the job
            raise error_about(job_id, error) from error.__cause__
        if isinstance(outcome, CortexError):
            raise outcome
        return outcome

    def describe(self, *job_ids: str) -> dict[str, JobOrError]:
        """
        Describe jobs, many in one statement, and return for each id its job or its error.

        :raises CortexError: if no session can be opened.
        """
        outcomes: dict[str, JobOrError] = {}
        for part in self.describe_in_batches(job_ids):
            outcomes |= part
        return outcomes

    def describe_in_batches(self, job_ids: Iterable[str]) -> Iterator[dict[str, JobOrError]]:
        """
        Describe jobs, and yield after each statement what it brought.

        Snowflake rejects a statement as a whole. Its jobs are then described by halves, until the
        rejected one is alone: the others still get their answers.

        :raises CortexError: if no session can be opened.
        """
        # Invalid ids are rejected before a login.
        ids = [text("finetune_job_id", job_id) for job_id in job_ids]
        queue = self._batches.divide(ids)
        self._unanswered = 0
        while queue:
            yield self._describe_next(queue)

    def _describe_next(self, queue: list[list[str]]) -> dict[str, JobOrError]:
        """
        Describe the first batch of a queue, and return what it brought.

        No variable keeps an error: it holds its frames, and would live until Python finds the
        cycle.
        """
        ids = queue.pop(0)
        if not self._runner.is_open:
            self._runner.open()
        try:
            outcomes = self._describe(ids)
        except RejectedError as error:
            self._unanswered = 0
            if len(ids) == 1:
                return {ids[0]: error}
            log.info(
                "Snowflake rejects a statement that describes %d fine-tuning jobs: describing each"
                " half of them alone. If this line returns at each poll, it rejects their number:"
                " set [cortex] batch_size lower. (%s)",
                len(ids),
                error,
            )
            queue[:0] = self._batches.rejected(ids)
            return {}
        except TRANSIENT_ERRORS as error:
            self._batches.unanswered(ids)
            self._unanswered += 1
            if self._unanswered == MAX_UNANSWERED:
                ids += [job_id for batch in queue for job_id in batch]
                queue.clear()
            if len(ids) == 1:
                return {ids[0]: error}
            return {job_id: error_about(job_id, error) for job_id in ids}
        self._unanswered = 0
        self._batches.answered(ids)
        return outcomes

    def _describe(self, ids: list[str]) -> dict[str, JobOrError]:
        """Describe jobs in one statement; an unreadable answer is the error of its job alone."""
        which = f"job {ids[0]}" if len(ids) == 1 else f"jobs, {len(ids)} at once"
        about = f"describe fine-tuning {which}"
        answers = self._runner.row(describe_call(*ids), width=len(ids), about=about)
        return dict(zip(ids, map(self._read, ids, answers), strict=True))

    def _read(self, job_id: str, answer: object) -> JobOrError:
        try:
            return FineTuneJob.parse(answer, job_id=job_id, query_id=self._runner.last_query_id)
        except UnreadableAnswerError as error:
            return UnreadableAnswerError(error.problem, answer, job_id)


# Guess many-calls: one statement may have many calls of `FINETUNE('DESCRIBE', …)`. If wrong: each
# poll needs more statements, and the log says to set `[cortex] batch_size` lower.
def describe_call(*job_ids: str) -> Call:
    """
    Return the statement that describes jobs, one column for each.

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-describe, which does not
    say whether one statement may have several calls (guess many-calls).

    :param job_ids: ids that can be sent, as
        :func:`~airflow_provider_cortex.cortex.rendered_values.text` returns them.
    """
    calls = ", ".join([_function("DESCRIBE", 1)] * len(job_ids))
    return Call(f"SELECT {calls}", job_ids, only_reads=True, jobs=len(job_ids))


def show_call() -> Call:
    """Source: https://docs.snowflake.com/sql-reference/functions/finetune-show."""
    return Call(f"SELECT {_function('SHOW', 0)}", (), only_reads=True)


def cancel_call(job_id: str) -> Call:
    """Source: https://docs.snowflake.com/sql-reference/functions/finetune-cancel."""
    return _call("CANCEL", text("finetune_job_id", job_id))


# Guess null-validation: NULL may stand for the validation data, if options follow it. If wrong:
# Snowflake rejects a job that has options and no validation data.
def create_call(
    model: str,
    base_model: str,
    training_data: str,
    *,
    validation_data: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Call:
    """
    Return the statement that starts a job.

    Options are JSON text in the fifth place. Without validation data NULL stands before them, as
    snowflake-ml-python sends it (guess null-validation).

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-create
    """
    values: list[str | None] = [
        text("model", model),
        text("base_model", base_model),
        subquery("training_data", training_data),
    ]
    if validation_data is not None:
        values.append(subquery("validation_data", validation_data))
    elif options:
        values.append(None)
    if options:
        values.append(json_text("options", options))
    return _call("CREATE", *values)


def _call(action: str, *values: str | None) -> Call:
    return Call(f"SELECT {_function(action, len(values))}", values)


def _function(action: str, values: int) -> str:
    arguments = ", ".join([f"'{action}'", *["%s"] * values])
    return f"SNOWFLAKE.CORTEX.FINETUNE({arguments})"
