"""
Everything this package raises on purpose::

    CortexError
    ├── ArgumentError              an argument is invalid
    │   ├── EmptyArgumentError         it is empty
    │   ├── QueryError                 it is a query that Cortex cannot use
    │   └── UnsupportedValueError      it cannot be sent to Snowflake
    ├── UnreadableAnswerError      Cortex answered in an unknown form
    ├── MissingModelError          the job succeeded, but Cortex named no model
    ├── UnreachableError           a transient error: network, overload, an expired session
    ├── RejectedError              a permanent error: Snowflake would reject it again
    │   ├── LoginRejectedError         it rejected the user or the credentials
    │   └── InvalidConnectionError     no driver can use the connection's fields
    ├── ConnectionNotFoundError    Airflow finds no such connection
    ├── ContactLostError           no usable answer for longer than contact_timeout
    ├── FineTuneExistsError        the task has already started its job
    ├── FineTuneFinishedError      the job to cancel has already finished
    ├── FineTuneFailedError        the job ended in ERROR
    ├── FineTuneCancelledError     the job was cancelled
    ├── FineTuneTimeoutError       the wait timed out; the job may still be running
    ├── FineTuneStalledError       the job made no progress; it may still be running
    ├── GateError                  what was measured misses a limit
    ├── UnknownNamespaceError      the account, database or schema of a name is unknown
    ├── CompletionError            the model gave no answer
    ├── AnswerTooLargeError        the answer is too large for an XCom
    ├── TooManyErrorsError         more rows than allowed have no answer
    ├── QueryFailedError           an asynchronous query failed or was cancelled
    ├── QueryTimeoutError          the wait for an asynchronous query timed out
    ├── QueryLostError             no usable answer about it for longer than contact_timeout
    ├── TaskKilledError            the task was killed, and starts nothing more
    ├── TriggerCrashedError        the trigger of a deferred task crashed
    └── TriggerEventError          a deferred task resumed with an unknown event

None of them is an Airflow exception: an Airflow task fails, and may be retried, on any of them.
Where Airflow has to behave differently, the sensors and operators translate them.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_cortex.safe_text import excerpt, for_log

Missed = tuple[str, float | None, float]
"""A figure's name, the figure (None if there is none), and the limit."""


def cancel_job_sql(job_id: str) -> str:
    """Return the statement with which a user can cancel a job."""
    return f"SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job_id}')"


def cancel_query_sql(query_id: str) -> str:
    """Return the statement with which a user can cancel a query."""
    return f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')"


class CortexError(Exception):
    """
    The root: catch this to catch everything this package raises on purpose.

    Its text is *summary* and *advice*, safe for a log, whatever Cortex sent: other attributes are
    exact. Callers outside of Airflow show *summary* alone.

    :param summary: what happened, and to which job.
    :param advice: what the user of an Airflow task can do next.
    """

    def __init__(self, summary: str, advice: str = "") -> None:
        self.summary, self.advice = for_log(summary), for_log(advice)
        super().__init__(f"{self.summary} {self.advice}" if advice else self.summary)


class ArgumentError(CortexError):
    """An argument is invalid. Attributes: *argument*, its name; *value*, its rendered value."""

    def __init__(self, argument: str, value: object, problem: str, advice: str = "") -> None:
        self.argument, self.value = argument, value
        super().__init__(f"{argument} {problem}", advice)


class EmptyArgumentError(ArgumentError):
    """An argument is empty. Attribute: *source*, how the DAG file has it, None if unknown."""

    def __init__(self, argument: str, value: object, source: str | None = None) -> None:
        self.source = source
        is_text = value is None or isinstance(value, str)
        # Any other value may be long or confidential, so the message does not quote it.
        got = repr(value) if is_text else f"a value of type {type(value).__name__}"
        origin = f" from {excerpt(source)!r}" if source else ""
        # Only an empty value can mean that another task pushed nothing.
        advice = (
            "If another task should have pushed it, check that this task ran, succeeded, and pushed"
            " one value under this key."
        ) * is_text
        super().__init__(argument, value, f"must be non-empty text; got {got}{origin}.", advice)


class QueryError(ArgumentError):
    """An argument is a query that Cortex cannot use. The query may be long: it is not quoted."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(argument, None, problem)


class UnsupportedValueError(ArgumentError):
    """An argument cannot be sent to Snowflake. It may be confidential: it is not quoted."""

    def __init__(self, argument: str, value: object, problem: str) -> None:
        super().__init__(argument, value, f"cannot be sent to Snowflake: {problem}")


class UnreadableAnswerError(CortexError):
    """Cortex answered in an unknown form. Attribute: *problem*, such as "which is not JSON"."""

    def __init__(self, problem: str, answer: object, job_id: str | None = None) -> None:
        self.problem, self.answer, self.job_id = problem, excerpt(answer), job_id
        subject = f" about fine-tuning job {job_id}" if job_id else ""
        super().__init__(f"cannot read Cortex's answer{subject}, {problem}: {self.answer}")


class MissingModelError(CortexError):
    """The job succeeded, but Cortex named no model."""

    def __init__(self, job_id: str, answer: object) -> None:
        self.job_id, self.answer = job_id, excerpt(answer)
        super().__init__(
            f"Fine-tuning job {job_id} ended in SUCCESS, but Cortex named no model: {self.answer}"
        )


class UnreachableError(CortexError):
    """A transient error: the same call may succeed a minute later."""


class RejectedError(CortexError):
    """A permanent error: Snowflake would reject the same call again."""

    @property
    def snowflake_message(self) -> str:
        """Snowflake's own message, if the error came from Snowflake."""
        return excerpt(str(self.__cause__ or self))


class LoginRejectedError(RejectedError):
    """Snowflake, or an OAuth endpoint, rejected the credentials; several may lock the user out."""


class InvalidConnectionError(RejectedError):
    """A connection that no driver accepts: an unreadable key, a missing field, a wrong type."""


class ConnectionNotFoundError(CortexError):
    """Airflow finds no such connection, or could not look it up: so a retry may help."""

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        super().__init__(
            f"Airflow finds no connection {conn_id!r}.", "Create it, or correct snowflake_conn_id."
        )


class ContactLostError(CortexError):
    """
    No usable answer for longer than *contact_timeout*.

    Attributes: *job_id*; *waited*, seconds; *reason*, the last error; *last_seen*, the last state.
    """

    def __init__(self, job_id: str, waited: float, reason: str, last_seen: str) -> None:
        self.job_id, self.waited, self.reason, self.last_seen = job_id, waited, reason, last_seen
        super().__init__(
            f"Lost contact with fine-tuning job {job_id}: no usable answer for {waited:.0f} s"
            f" (last: {reason}). Last known state: {last_seen}. It may still be running.",
            "A retry of this task resumes the wait.",
        )


class FineTuneExistsError(CortexError):
    """The task has already started its job, and its *if_exists* is "fail"."""

    def __init__(self, job_id: str, state: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"This task has already started fine-tuning job {job_id} ({state}), and its if_exists"
            ' is "fail".',
            'Wait for that job, cancel it, or set if_exists="create" to pay for another one.',
        )


class FineTuneFinishedError(CortexError):
    """The job to cancel has already finished."""

    def __init__(self, job_id: str, state: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"Cannot cancel fine-tuning job {job_id}: it has finished ({state}), and fail_if_over"
            " is set."
        )


class FineTuneFailedError(CortexError):
    """The job ended in ERROR."""

    def __init__(self, job_id: str, code: str | None, message: str) -> None:
        self.job_id, self.code, self.message = job_id, code, message
        text = f"{code}: {message}" if code else message
        super().__init__(f"Fine-tuning job {job_id} failed. Cortex says: {text}")


class FineTuneCancelledError(CortexError):
    """The job was cancelled."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"Fine-tuning job {job_id} was cancelled.", "If it is still needed, start a new one."
        )


class FineTuneTimeoutError(CortexError):
    """The wait timed out. Attributes: *job_id*; *waited*, seconds; *last_seen*, the last state."""

    def __init__(self, job_id: str, waited: float, last_seen: str) -> None:
        self.job_id, self.waited, self.last_seen = job_id, waited, last_seen
        super().__init__(
            f"Stopped waiting for fine-tuning job {job_id} after {waited:.0f} s. Last known state:"
            f" {last_seen}. It may still be running and costing money.",
            "Increase timeout or execution_timeout to wait longer, or cancel the job with"
            f" {cancel_job_sql(job_id)}.",
        )


class FineTuneStalledError(CortexError):
    """
    The job made no progress for too long.

    Attributes: *job_id*; *waited*, seconds; *since*, the last change, ISO 8601; *last_seen*.
    """

    def __init__(self, job_id: str, waited: float, since: str, last_seen: str) -> None:
        self.job_id, self.waited, self.since, self.last_seen = job_id, waited, since, last_seen
        super().__init__(
            f"Fine-tuning job {job_id} is stalled: its status and progress have not changed for"
            f" {waited:.0f} s, since {since}. Last known state: {last_seen}. It may still be"
            " running and costing money.",
            "Increase stall_timeout to wait longer, or cancel the job with"
            f" {cancel_job_sql(job_id)}.",
        )


class GateError(CortexError):
    """
    What was measured misses a limit: of a model, or of training data.

    Attribute: *missed*, by the argument that sets the limit.
    """

    def __init__(self, summary: str, advice: str, missed: Mapping[str, Missed]) -> None:
        self.missed = dict(missed)
        super().__init__(summary, advice)


class UnknownNamespaceError(CortexError):
    """The account, database or schema of *name* is unknown. Attribute: *reason*, why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"cannot complete the Snowflake name {excerpt(name)!r}: {reason}")


class CompletionError(CortexError):
    """The model gave no answer."""

    def __init__(self, model: str, message: str) -> None:
        self.model, self.message = model, message
        super().__init__(f"Model {model} gave no answer. Cortex says: {message}")


class AnswerTooLargeError(CortexError):
    """The answer is too large for an XCom. Attribute: *size*, in bytes of JSON."""

    def __init__(self, size: int, limit: int, table_operator: str) -> None:
        self.size = size
        super().__init__(
            f"The answer has {size:,} bytes, but an XCom should have at most {limit:,}.",
            f"Use {table_operator} to write the answers into a table, or set do_xcom_push=False.",
        )


class TooManyErrorsError(CortexError):
    """
    More rows than *max_error_rate* allows have no answer.

    Attributes: *rows*; *errors*, rows without an answer; *most_frequent*, the commonest error.
    """

    def __init__(
        self, query_id: str | None, rows: int, errors: int, most_frequent: str, max_rate: float
    ) -> None:
        self.query_id, self.rows = query_id, rows
        self.errors, self.most_frequent = errors, excerpt(most_frequent)
        super().__init__(
            f"{errors:,} of {rows:,} rows have no answer, more than max_error_rate"
            f" = {max_rate:g} allows. The destination is unchanged. Most frequent error:"
            f" {self.most_frequent}.",
            "A retry asks, and pays for, all rows again.",
        )


class QueryFailedError(CortexError):
    """An asynchronous query failed or was cancelled."""

    def __init__(self, query_id: str, message: str, advice: str = "") -> None:
        self.query_id, self.message = query_id, excerpt(message)
        end = "." if advice else ""
        super().__init__(f"Query {query_id} failed. Snowflake says: {self.message}{end}", advice)


class QueryTimeoutError(CortexError):
    """The wait for an asynchronous query timed out. Attribute: *waited*, seconds."""

    def __init__(self, query_id: str, waited: float) -> None:
        self.query_id, self.waited = query_id, waited
        super().__init__(
            f"Stopped waiting for query {query_id} after {waited:.0f} s: execution_timeout has"
            " passed.",
            "Increase execution_timeout to wait longer.",
        )


class QueryLostError(CortexError):
    """
    No usable answer about an asynchronous query for longer than *contact_timeout*.

    Attributes: *waited*, seconds without a usable answer; *reason*, the last error.
    """

    def __init__(self, query_id: str, waited: float, reason: str) -> None:
        self.query_id, self.waited, self.reason = query_id, waited, reason
        super().__init__(
            f"Lost contact with query {query_id}: no usable answer for {waited:.0f} s (last:"
            f" {reason}). It may still be running and costing money.",
            f"Cancel it with {cancel_query_sql(query_id)}.",
        )


class TriggerEventError(CortexError):
    """A deferred task resumed with an unknown event; *job_id* is None if it waited for a query."""

    def __init__(self, job_id: str | None, event: object) -> None:
        self.job_id, self.event = job_id, excerpt(event)
        subject = "the query" if job_id is None else f"fine-tuning job {job_id}"
        super().__init__(
            f"The result of {subject} is unknown: the task resumed with an unknown event:"
            f" {self.event}.",
            "A retry of this task asks Snowflake again.",
        )


class TaskKilledError(CortexError):
    """The task was killed, and starts nothing more that is paid for; a retry may."""

    def __init__(self) -> None:
        super().__init__("The task was killed: it starts nothing more.")


class TriggerCrashedError(CortexError):
    """The trigger of a deferred task crashed and sent no event."""

    def __init__(self, job_id: str, reason: object) -> None:
        self.job_id, self.reason = job_id, excerpt(reason)
        super().__init__(
            f"The trigger that waited for fine-tuning job {job_id} crashed: {self.reason}. The job"
            " may still be running.",
            "A retry of this task resumes the wait.",
        )


TRANSIENT_ERRORS = (UnreachableError, UnreadableAnswerError)
"""Errors that a wait retries for a while: the next poll may succeed."""


def error_about(job_id: str, error: CortexError) -> CortexError:
    """Return a transient or permanent error as one that names the job."""
    if job_id in str(error):
        return error
    if isinstance(error, RejectedError):
        return type(error)(f"cannot describe fine-tuning job {job_id}: {error}")
    return UnreachableError(f"could not describe fine-tuning job {job_id}: {error}")
