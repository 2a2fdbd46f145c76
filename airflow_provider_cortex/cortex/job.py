"""A fine-tuning job as Cortex describes it, parsed once into a frozen record."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow_provider_cortex.cortex.json_decoding import decode, decode_object
from airflow_provider_cortex.errors import (
    FineTuneCancelledError,
    FineTuneFailedError,
    MissingModelError,
    UnreadableAnswerError,
)

EARLIEST, LATEST = 2020, 2100
"""
Years. No job is older than Cortex; a number outside of them is no moment in milliseconds, but one in
seconds, or a 0 for what is not known.
"""


class JobStatus(StrEnum):
    """Where a job is in its life."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """Not a Cortex word: what we call a status that is newer than this package."""

    @classmethod
    def _missing_(cls, value: object) -> JobStatus:
        word = str(value).strip().upper()
        # Snowflake writes CANCELLED in the status and "Canceled" in the answer to CANCEL.
        word = "CANCELLED" if word == "CANCELED" else word
        return cls.__members__.get(word, cls.UNKNOWN)

    @property
    def is_terminal(self) -> bool:
        """Whether the job is over."""
        return self in {JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job ended in ERROR."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneJob:
    """
    One answer to ``FINETUNE('DESCRIBE', id)``, or one entry of ``FINETUNE('SHOW')``.

    Cortex fills most fields only as the job gets on, so all but *id* and the statuses may be
    None. A field that Cortex wrote in a form nobody expects is None too, rather than the loss of a
    paid job; so is a value that cannot be true, such as an end before the beginning. *text* still has it.

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-describe
    """

    id: str
    status: JobStatus
    reported_status: str
    """The status in Cortex's own letters: it names what an UNKNOWN one was."""
    progress: float | None = None
    """From 0 to 1."""
    error: JobError | None = None
    base_model: str | None = None
    created_on: datetime | None = None
    finished_on: datetime | None = None
    model: str | None = None
    """The tuned model's name as Cortex made it: it may differ from the name that was asked for."""
    training_data: str | None = None
    validation_data: str | None = None
    trained_tokens: int | None = None
    training_result: tuple[Mapping[str, Any], ...] = ()
    """Cortex's figures: one entry where Cortex sent an object, as many as there were in a list."""
    options: Mapping[str, Any] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else came."""
    text: str = field(repr=False, compare=False, default="")
    """The whole answer as JSON text, unknown fields and all: what travels in events and XComs."""
    query_id: str | None = field(compare=False, default=None)
    """The statement that brought the answer, by the id in Snowflake's query history."""

    @classmethod
    def parse(
        cls, answer: object, *, job_id: str | None = None, query_id: str | None = None
    ) -> FineTuneJob:
        """
        Read *answer*, in any of the forms in which the driver may deliver it.

        :param answer: JSON text, JSON text that was encoded twice, or an object already decoded.
        :param job_id: the job that was asked for, if one was.
        :param query_id: the statement that asked, if that is known.
        :raises UnreadableAnswerError: if it is not JSON, not an object, has no id or status, or
            is about another job.
        """
        record = decode_object(answer)
        found_id = _text(record.get("id"))
        reported_status = _text(record.get("status"))
        if found_id is None:
            raise UnreadableAnswerError("which has no id", answer)
        if job_id is not None and found_id != job_id:
            raise UnreadableAnswerError(f"which is not about job {job_id}", answer)
        if reported_status is None:
            raise UnreadableAnswerError("which has no status", answer)
        created_on = _moment(record.get("created_on"))
        finished_on = _moment(record.get("finished_on"))
        if created_on and finished_on and finished_on < created_on:
            finished_on = None
        return cls(
            id=found_id,
            status=JobStatus(reported_status),
            reported_status=reported_status,
            progress=_progress(record.get("progress")),
            error=_error(record.get("error")),
            base_model=_text(record.get("base_model")),
            created_on=created_on,
            finished_on=finished_on,
            model=_text(record.get("model")),
            training_data=_text(record.get("training_data")),
            validation_data=_text(record.get("validation_data")),
            trained_tokens=_whole(record.get("trained_tokens")),
            training_result=_results(record.get("training_result")),
            options=_mapping(record.get("options")),
            others={key: value for key, value in record.items() if key not in _FIELDS},
            text=json.dumps(record),
            query_id=query_id,
        )

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to this job."""
        return self.status.is_terminal

    @property
    def training_loss(self) -> float | None:
        """The last training loss that Cortex reported."""
        return self._last_result("training_loss")

    @property
    def validation_loss(self) -> float | None:
        """The last validation loss that Cortex reported."""
        return self._last_result("validation_loss")

    @property
    def seconds(self) -> float | None:
        """How long the job took, in seconds, if Cortex told both ends."""
        if self.created_on is None or self.finished_on is None:
            return None
        return (self.finished_on - self.created_on).total_seconds()

    @property
    def status_text(self) -> str:
        """The status; an unknown one as Cortex wrote it."""
        return self.reported_status if self.status is JobStatus.UNKNOWN else self.status.value

    @property
    def state(self) -> str:
        """Status and progress: ``IN_PROGRESS 33 %``."""
        if self.progress is None:
            return self.status_text
        return f"{self.status_text} {self.progress * 100:.0f} %"

    def seconds_left(self, *, now: float) -> float | None:
        """
        Return the seconds until a running job ends if it goes on at its speed; None if unknown.

        :param now: epoch seconds.
        """
        if self.is_finished or self.created_on is None or not self.progress:
            return None
        elapsed = max(0.0, now - self.created_on.timestamp())
        return elapsed * (1 - self.progress) / self.progress

    def to_dict(self) -> dict[str, Any]:
        """Return the whole answer, unknown fields and all, ready for JSON."""
        record: dict[str, Any] = json.loads(self.text)
        return record

    def outcome(self) -> str:
        """
        Return the name of the model that a job which is over has made.

        :raises FineTuneFailedError: if the job ended in ERROR.
        :raises FineTuneCancelledError: if it was cancelled.
        :raises MissingModelError: if it succeeded without naming a model, or is not over.
        """
        if self.status is JobStatus.ERROR:
            error = self.error or JobError(message="nothing (the answer has no error message)")
            raise FineTuneFailedError(self.id, error.code, error.message)
        if self.status is JobStatus.CANCELLED:
            raise FineTuneCancelledError(self.id)
        if self.status is not JobStatus.SUCCESS or self.model is None:
            raise MissingModelError(self.id, self.text)
        return self.model

    def _last_result(self, key: str) -> float | None:
        # A last figure that is no number (training that diverged) is not that of the epoch before.
        figures = (result[key] for result in reversed(self.training_result) if key in result)
        loss = _number(next(figures, None))
        return None if loss is None or loss < 0 else loss  # a cross-entropy is never negative


_FIELDS = frozenset(FineTuneJob.__dataclass_fields__)


def jobs(answer: object, *, skip_unreadable: bool = False) -> tuple[FineTuneJob, ...]:
    """
    Read the answer to ``FINETUNE('SHOW')``: every job of the account, in one array.

    :param skip_unreadable: leave out what is no job.
    :raises UnreadableAnswerError: if it is not an array, or not one of jobs.
    """
    decoded = decode(answer)
    if not isinstance(decoded, list):
        raise UnreadableAnswerError("which should be an array of jobs", answer)
    found = []
    for entry in decoded:
        try:
            found.append(FineTuneJob.parse(entry))
        except UnreadableAnswerError:
            if not skip_unreadable:
                raise
    return tuple(found)


def _text(value: object) -> str | None:
    """Return *value* if it is text that says something: Cortex writes ``""`` for what is absent."""
    return value if isinstance(value, str) and value.strip() else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 else int(number)


def _progress(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= 1 else None


def _moment(value: object) -> datetime | None:
    """Return the moment of *value*, epoch milliseconds; None for what can be no moment of a job."""
    number = _number(value)
    if number is None:
        return None
    try:
        moment = datetime.fromtimestamp(number / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment.year < LATEST else None


def _mapping(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def _results(value: object) -> tuple[Mapping[str, Any], ...]:
    """Snowflake's page has an object here, the type hints of snowflake-ml-python a list of them."""
    entries = value if isinstance(value, list) else [value]
    return tuple(entry for entry in entries if isinstance(entry, Mapping))


def _error(value: object) -> JobError | None:
    """Read the error: an object with code and message, by the page; text and lists of both are read, too."""
    for _ in range(2):  # an object whose text was encoded once more, or twice
        if isinstance(value, str):
            with contextlib.suppress(ValueError, RecursionError):
                decoded = json.loads(value)
                # The text of a number is a message.
                value = value if isinstance(decoded, int | float) else decoded
    if isinstance(value, Mapping):
        if not value:
            return None
        code = value.get("code")
        return JobError(
            message=_words(value.get("message")) or json.dumps(value, ensure_ascii=False),
            code=str(code) if _words(code) else None,
        )
    if isinstance(value, list):
        entries = (
            json.dumps(entry, ensure_ascii=False) if isinstance(entry, list) else entry
            for entry in value
        )
        errors = [error for error in map(_error, entries) if error]
        messages = "; ".join(error.message for error in errors)
        return JobError(message=messages, code=errors[0].code) if errors else None
    words = _words(value)
    return None if words is None else JobError(message=words)


def _words(value: object) -> str | None:
    """Return what a value says as text, None if it says nothing."""
    if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
