"""
Everything this package raises on purpose.

CortexError
├── ArgumentError            an argument is of no use
│   ├── EmptyArgumentError           it says nothing where something is needed
│   ├── QueryError           it is a query that does not give what Cortex needs
│   └── UnsupportedValueError      it is nothing that can be sent as it is
├── UnreadableAnswerError    Cortex answered, but not in a shape we know
├── MissingModelError        the job succeeded, but Cortex did not name its model
├── UnreachableError         trouble that passes: network, overload, a session that ended
├── RejectedError             Snowflake said no, and would say so again
├── ConnectionNotFoundError        Airflow found no such connection
├── ContactLostError         no usable answer for longer than the contact budget
├── FineTuneExistsError      the job that was to be started is there already
├── FineTuneFinishedError        the job that was to be cancelled is over
├── FineTuneFailedError      the job ended in ERROR
├── FineTuneCancelledError   somebody cancelled the job
├── FineTuneTimeoutError     we stopped waiting; the job may still be running
├── FineTuneStalledError     the job stood still, and we stopped waiting; it may still be running
├── GateError                the job made a model that is not good enough
├── UnknownNamespaceError            nobody can tell where in Snowflake a name belongs
├── CompletionError          the model gave no answer
├── AnswerTooLargeError      the answer is more than Airflow's XCom should carry
├── TooManyErrorsError       the model gave no answer to more rows than is borne
├── QueryFailedError         a statement that ran by itself failed, or was cancelled
├── QueryTimeoutError        we stopped waiting for it
├── QueryLostError           no news of it for longer than the contact budget
├── TriggerCrashedError        a deferred task's trigger is no more
└── TriggerEventError        a deferred task resumed with an event we did not send

None of them is an Airflow exception: an Airflow task fails, and may be retried, on any of them.
Where Airflow has to behave differently, the sensor and the operators translate.
"""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_EXCERPT = 300


def excerpt(value: object) -> str:
    """Return what somebody else wrote as one line of bounded length, with its size told if cut."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    if len(text) <= LONGEST_EXCERPT:
        return text
    return f"{text[:LONGEST_EXCERPT]}… ({len(text)} characters)"


def error_text(code: str | None, message: str) -> str:
    """Return why a job failed, in Cortex's own words."""
    return f"{code}: {message}" if code else message


def cancel_job_sql(job_id: str) -> str:
    """Return what cancels a job by hand."""
    return f"SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job_id}')"


def cancel_query_sql(query_id: str) -> str:
    """Return what cancels a statement by hand."""
    return f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')"


class CortexError(Exception):
    """The root: catch this to catch everything this package raises on purpose."""


class ArgumentError(CortexError):
    """
    An argument is of no use.

    Attributes: *argument*, its name; *value*, what it rendered to.
    """

    def __init__(self, argument: str, value: object, message: str) -> None:
        self.argument = argument
        self.value = value
        super().__init__(f"{argument} {message}")


class EmptyArgumentError(ArgumentError):
    """
    An argument says nothing where something is needed.

    Attribute: *source*, how it stands in the DAG file, if that is known.
    """

    def __init__(self, argument: str, value: object, source: str | None = None) -> None:
        self.source = source
        is_text = value is None or isinstance(value, str)
        # A value that is no text may be a long one, and not meant for a log.
        found = repr(value) if is_text else f"a value of type {type(value).__name__}"
        gave = f"{excerpt(source)!r} gave {found}" if source else f"it is {found}"
        # Only what says nothing may be another task's fault.
        hint = (
            " If another task should have pushed it: did that task run, succeed, and push one value under this"
            " key?"
        )
        super().__init__(
            argument, value, f"must be text that is not empty, and {gave}.{hint * is_text}"
        )


class QueryError(ArgumentError):
    """An argument is a query that does not give what Cortex needs. The query is not told: it may be long."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(argument, None, problem)


class UnsupportedValueError(ArgumentError):
    """
    An argument is nothing that can be sent as it is.

    Its value is not told: it may be a long one, and not meant for a log.
    """

    def __init__(self, argument: str, value: object, problem: str) -> None:
        super().__init__(argument, value, f"cannot be sent to Snowflake as it is: {problem}")


class UnreadableAnswerError(CortexError):
    """Cortex answered, but not in a shape we know."""

    def __init__(self, problem: str, answer: object) -> None:
        self.problem = problem
        self.answer = excerpt(answer)
        super().__init__(f"cannot read Cortex's answer, {problem}: {self.answer}")


class MissingModelError(CortexError):
    """The job succeeded, but Cortex did not name its model."""

    def __init__(self, job_id: str, answer: object) -> None:
        self.job_id = job_id
        self.answer = excerpt(answer)
        super().__init__(
            f"Fine-tuning job {job_id} ended in SUCCESS, but Cortex named no model: {self.answer}"
        )


class UnreachableError(CortexError):
    """Trouble that passes: the same call may well succeed a minute later."""


class RejectedError(CortexError):
    """Snowflake said no, and would say so again."""

    @property
    def said(self) -> str:
        """Snowflake's own words, if it was Snowflake."""
        return excerpt(str(self.__cause__ or self))


class ConnectionNotFoundError(CortexError):
    """
    Airflow found no such connection.

    It may be a wrong id; but Airflow says the same when it could not ask its database or a secrets
    backend just then, so a retry may help.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        super().__init__(f"Airflow finds no connection {conn_id!r} (snowflake_conn_id)")


class ContactLostError(CortexError):
    """
    No usable answer for longer than the contact budget.

    Attributes: *job_id*; *waited*, seconds for which there was none; *reason*, what went wrong
    last; *last_seen*, what was known of the job before.
    """

    def __init__(self, job_id: str, waited: float, reason: str, last_seen: str) -> None:
        self.job_id = job_id
        self.waited = waited
        self.reason = reason
        self.last_seen = last_seen
        super().__init__(
            f"Lost contact with fine-tuning job {job_id}: no usable answer for {waited:.0f} s"
            f" (last: {reason}). Last known state: {last_seen}. It may still be running: a retry of"
            " this task takes up the wait again."
        )


class FineTuneExistsError(CortexError):
    """The job that was to be started is there already."""

    def __init__(self, job_id: str, state: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"Fine-tuning job {job_id} ({state}) is what this task was to start, and if_exists is"
            ' "fail": wait for that one, or cancel it, or say if_exists="create" to pay for another.'
        )


class FineTuneFinishedError(CortexError):
    """The job that was to be cancelled is over."""

    def __init__(self, job_id: str, state: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"Fine-tuning job {job_id} cannot be cancelled: it is over ({state}), and fail_if_over is"
            " set."
        )


class FineTuneFailedError(CortexError):
    """The job ended in ERROR."""

    def __init__(self, job_id: str, code: str | None, message: str) -> None:
        self.job_id = job_id
        self.code = code
        self.message = message
        super().__init__(
            f"Fine-tuning job {job_id} failed. Cortex says: {error_text(code, message)}"
        )


class FineTuneCancelledError(CortexError):
    """Somebody cancelled the job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"Fine-tuning job {job_id} was cancelled. Start a new one if it is needed."
        )


class FineTuneTimeoutError(CortexError):
    """
    We stopped waiting; the job may still be running.

    Attributes: *job_id*; *waited*, seconds; *last_seen*, the last known state.
    """

    def __init__(self, job_id: str, waited: float, last_seen: str) -> None:
        self.job_id = job_id
        self.waited = waited
        self.last_seen = last_seen
        super().__init__(
            f"Stopped waiting for fine-tuning job {job_id} after {waited:.0f} s. Last known state:"
            f" {last_seen}. It may still be running, and costing: wait longer (timeout,"
            f" execution_timeout), or cancel it with {cancel_job_sql(job_id)}."
        )


class FineTuneStalledError(CortexError):
    """
    The job stood still, and we stopped waiting; it may still be running.

    Attributes: *job_id*; *waited*, seconds without a change; *since*, the moment from which on none was seen, as
    ISO 8601 has it; *last_seen*, the last known state.
    """

    def __init__(self, job_id: str, waited: float, since: str, last_seen: str) -> None:
        self.job_id = job_id
        self.waited = waited
        self.since = since
        self.last_seen = last_seen
        super().__init__(
            f"Fine-tuning job {job_id} stands still: no change of status or progress for {waited:.0f} s, since"
            f" {since}. Last known state: {last_seen}. It may still be running, and costing: wait longer"
            f" (stall_timeout), or cancel it with {cancel_job_sql(job_id)}."
        )


class GateError(CortexError):
    """
    The job made a model that is not good enough to be handed on.

    Attributes: *job_id*; *model*, which exists all the same; *missed*, by the argument that set the limit:
    the figure's name, what Cortex reported (None if it reported nothing), and the limit.
    """

    def __init__(
        self, job_id: str, model: str, missed: Mapping[str, tuple[str, float | None, float]]
    ) -> None:
        self.job_id = job_id
        self.model = model
        self.missed = dict(missed)
        said = "; ".join(_missed(argument, *gap) for argument, gap in self.missed.items())
        super().__init__(
            f"Fine-tuning job {job_id} made model {model}, which is not handed on: {said}. The model exists:"
            " try it out by that name, raise the limit and clear this task, or drop the model and"
            " train one with other data."
        )


def _missed(argument: str, figure: str, reported: float | None, limit: float) -> str:
    """Return one figure and its limit in words."""
    if reported is None:
        return f"Cortex reported no {figure}, which {argument} limits to {_plain(limit)}"
    return f"{figure} is {_plain(reported)}, above {argument}, {_plain(limit)}"


def _plain(number: float) -> str:
    """Return a number with all its digits, and without those that say nothing."""
    return f"{number:.0f}" if number == int(number) else repr(number)


class UnknownNamespaceError(CortexError):
    """
    Nobody can tell where in Snowflake a name belongs.

    Attributes: *name*; *reason*, what is not known.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"cannot tell where in Snowflake {excerpt(name)!r} is: {reason}")


class CompletionError(CortexError):
    """The model gave no answer."""

    def __init__(self, model: str, message: str) -> None:
        self.model = model
        self.message = message
        super().__init__(f"Model {model} gave no answer. Cortex says: {message}")


class AnswerTooLargeError(CortexError):
    """The answer is more than Airflow's XCom should carry. Attribute: *size*, in bytes of JSON."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        super().__init__(
            f"The answer takes {size:,} bytes, and an XCom should carry at most {limit:,}. Have"
            " CortexCompleteTableOperator put the answers into a table, or set do_xcom_push=False."
        )


class TooManyErrorsError(CortexError):
    """
    The model gave no answer to more rows than is borne.

    Attributes: *rows*; *errors*, how many of them have none; *commonest*, what went wrong most often.
    """

    def __init__(
        self, query_id: str | None, rows: int, errors: int, commonest: str, max_error_rate: float
    ) -> None:
        self.query_id = query_id
        self.rows = rows
        self.errors = errors
        self.commonest = excerpt(commonest)
        super().__init__(
            f"{errors:,} of {rows:,} rows have no answer, which is more than max_error_rate"
            f" = {max_error_rate:g} allows: the destination is as it was. The commonest error:"
            f" {self.commonest}. A retry asks, and pays for, all rows again."
        )


class QueryFailedError(CortexError):
    """A statement that ran by itself failed, or was cancelled."""

    def __init__(self, query_id: str, message: str) -> None:
        self.query_id = query_id
        self.message = excerpt(message)
        super().__init__(f"Query {query_id} failed. Snowflake says: {self.message}")


class QueryTimeoutError(CortexError):
    """We stopped waiting for a statement. Attribute: *waited*, seconds."""

    def __init__(self, query_id: str, waited: float) -> None:
        self.query_id = query_id
        self.waited = waited
        super().__init__(
            f"Stopped waiting for query {query_id} after {waited:.0f} s: execution_timeout has passed."
        )


class QueryLostError(CortexError):
    """
    No news of a statement for longer than the contact budget.

    Attributes: *waited*, seconds for which there was none; *reason*, what went wrong last.
    """

    def __init__(self, query_id: str, waited: float, reason: str) -> None:
        self.query_id = query_id
        self.waited = waited
        self.reason = reason
        super().__init__(
            f"Lost contact with query {query_id}: no usable answer for {waited:.0f} s (last: {reason}). It may"
            f" still be running, and costing: {cancel_query_sql(query_id)} ends it."
        )


class TriggerEventError(CortexError):
    """
    A deferred task resumed with an event that this version of the package did not send.

    Attribute: *job_id*, None if the task waited for a query.
    """

    def __init__(self, job_id: str | None, event: object) -> None:
        self.job_id = job_id
        self.event = excerpt(event)
        what = "the query" if job_id is None else f"fine-tuning job {job_id}"
        super().__init__(
            f"Cannot tell how {what} ended: the task resumed with an event that this package does not"
            f" know: {self.event}. A retry of this task looks again."
        )


class TriggerCrashedError(CortexError):
    """A deferred task's trigger ended without an event: it crashed."""

    def __init__(self, job_id: str, reason: object) -> None:
        self.job_id = job_id
        self.reason = excerpt(reason)
        super().__init__(
            f"The wait for fine-tuning job {job_id} broke off in the triggerer: {self.reason}. The job"
            " may still be running: a retry of this task takes up the wait again."
        )
