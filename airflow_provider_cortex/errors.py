"""
Everything this package raises on purpose.

CortexError
├── ArgumentError            an argument is of no use
│   ├── EmptyError           it says nothing where something is needed
│   ├── QueryError           it is a query that does not give what Cortex needs
│   └── UnsendableError      it is nothing that can be sent as it is
├── UnreadableAnswerError    Cortex answered, but not in a shape we know
├── MissingModelError        the job succeeded, but Cortex did not name its model
├── UnreachableError         trouble that passes: network, overload, a session that ended
├── RefusedError             Snowflake said no, and would say so again
├── NoConnectionError        Airflow found no such connection
├── ContactLostError         no usable answer for longer than the contact budget
├── FineTuneExistsError      the job that was to be started is there already
├── FineTuneOverError        the job that was to be cancelled is over
├── FineTuneFailedError      the job ended in ERROR
├── FineTuneCancelledError   somebody cancelled the job
├── FineTuneTimeoutError     we stopped waiting; the job may still be running
├── CompletionError          the model gave no answer
├── TriggerBrokeError        a deferred task's trigger is no more
└── TriggerEventError        a deferred task resumed with an event we did not send

None of them is an Airflow exception: an Airflow task fails, and may be retried, on any of them.
Where Airflow has to behave differently, the sensor and the operators translate.
"""

from __future__ import annotations

LONGEST_EXCERPT = 300


def excerpt(value: object) -> str:
    """Return what somebody else wrote as one line of bounded length, with its size told if cut."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    if len(text) <= LONGEST_EXCERPT:
        return text
    return f"{text[:LONGEST_EXCERPT]}… ({len(text)} characters)"


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


class EmptyError(ArgumentError):
    """
    An argument says nothing where something is needed.

    Attribute: *source*, how it stands in the DAG file, if that is known.
    """

    def __init__(self, argument: str, value: object, source: str | None = None) -> None:
        self.source = source
        # A value that is no text may be a long one, and not meant for a log.
        empty = value is None or isinstance(value, str)
        found = repr(value) if empty else f"a value of type {type(value).__name__}"
        gave = f"{excerpt(source)!r} gave {found}" if source else f"it is {found}"
        super().__init__(
            argument,
            value,
            f"must be text that is not empty, and {gave}. If another task should have pushed it: did"
            " that task run, succeed, and push one value under this key?",
        )


class QueryError(ArgumentError):
    """An argument is a query that does not give what Cortex needs. The query is not told: it may be long."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(argument, None, problem)


class UnsendableError(ArgumentError):
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


class RefusedError(CortexError):
    """Snowflake said no, and would say so again."""


class NoConnectionError(CortexError):
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


class FineTuneOverError(CortexError):
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
        said = f"{code}: {message}" if code else message
        super().__init__(f"Fine-tuning job {job_id} failed. Cortex says: {said}")


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
            " execution_timeout), or cancel it with"
            f" SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job_id}')."
        )


class CompletionError(CortexError):
    """The model gave no answer."""

    def __init__(self, model: str, message: str) -> None:
        self.model = model
        self.message = message
        super().__init__(f"Model {model} gave no answer. Cortex says: {message}")


class TriggerEventError(CortexError):
    """A deferred task resumed with an event that this version of the package did not send."""

    def __init__(self, job_id: str, event: object) -> None:
        self.job_id = job_id
        self.event = excerpt(event)
        super().__init__(
            f"Cannot tell how fine-tuning job {job_id} ended: the task resumed with an event that"
            f" this package does not know: {self.event}. A retry of this task looks at the job again."
        )


class TriggerBrokeError(CortexError):
    """A deferred task's trigger ended without an event: it crashed."""

    def __init__(self, job_id: str, reason: object) -> None:
        self.job_id = job_id
        self.reason = excerpt(reason)
        super().__init__(
            f"The wait for fine-tuning job {job_id} broke off in the triggerer: {self.reason}. The job"
            " may still be running: a retry of this task takes up the wait again."
        )
