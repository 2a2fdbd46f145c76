"""A fine-tuning job as Cortex describes it, parsed into a frozen record."""

from __future__ import annotations

import contextlib
import json
import sys
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
from airflow_provider_cortex.safe_text import for_log

POSSIBLE_YEARS = range(2020, 2100)
"""
Cortex's times are epoch milliseconds. One outside of these years is in another unit, or a 0 for an
unknown time.
"""


class JobStatus(StrEnum):
    """The status of a job."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"
    # Guess unknown-status: a job in a status that Snowflake does not document still runs. If
    # wrong: the sensor waits until its `timeout`.
    UNKNOWN = "UNKNOWN"
    """Any other status: Cortex may have added one since this release. Cortex has no UNKNOWN."""

    @classmethod
    def _missing_(cls, value: object) -> JobStatus:
        word = str(value).strip().upper()
        # Snowflake spells the status CANCELLED, but the answer to CANCEL has "Canceled".
        word = "CANCELLED" if word == "CANCELED" else word
        return cls.__members__.get(word, cls.UNKNOWN)


TERMINAL = frozenset({JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELLED})
"""The statuses of a job that has finished."""


@dataclass(frozen=True, kw_only=True)
class JobError:
    """Why a job ended in ERROR, in Cortex's own words."""

    message: str
    code: str | None = None

    @property
    def text(self) -> str:
        """Code and message."""
        return f"{self.code}: {self.message}" if self.code else self.message


@dataclass(frozen=True, kw_only=True)
class FineTuneJob:
    """
    One answer to ``FINETUNE('DESCRIBE', id)``, or one entry of ``FINETUNE('SHOW')``.

    Cortex fills most fields while the job runs, so all but *id* and the statuses may be None. A
    field in an unknown form, or with an impossible value such as an end before the start, is None
    too: it must not cost a paid job. *text* keeps all of them.

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-describe
    """

    id: str
    status: JobStatus
    reported_status: str
    """The status exactly as Cortex wrote it."""
    progress: float | None = None
    """From 0 to 1."""
    error: JobError | None = None
    base_model: str | None = None
    created_on: datetime | None = None
    finished_on: datetime | None = None
    model: str | None = None
    """
    The tuned model's name as Cortex returned it, without an ``@``: it may differ from the requested
    one.
    """
    training_data: str | None = None
    validation_data: str | None = None
    trained_tokens: int | None = None
    training_result: tuple[Mapping[str, Any], ...] = ()
    """Cortex's figures: the entries of a list, or the one object."""
    options: Mapping[str, Any] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    """All fields that this release does not know."""
    text: str = field(repr=False, compare=False, default="")
    """The whole answer as JSON text, with unknown fields: for events and XComs."""
    query_id: str | None = field(compare=False, default=None)
    """The statement that returned the answer, by its id in Snowflake's query history."""

    @classmethod
    def parse(
        cls, answer: object, *, job_id: str | None = None, query_id: str | None = None
    ) -> FineTuneJob:
        """
        Parse an answer, in any form in which the driver may deliver it.

        :param answer: JSON text, JSON text that was encoded twice, or a decoded object.
        :param job_id: the id that the answer must have, if known.
        :param query_id: the statement that returned the answer, if known.
        :raises UnreadableAnswerError: if it is not a JSON object, has no id or status, or is about
            another job.
        """
        record = decode_object(answer)
        # Cortex writes "" for an absent text.
        texts = {
            name: value
            for name in _TEXT_FIELDS
            if isinstance(value := record.get(name), str) and value.strip()
        }
        if "id" not in texts:
            raise UnreadableAnswerError("which has no id", answer)
        if job_id is not None and texts["id"] != job_id:
            raise UnreadableAnswerError("which is about another job", answer)
        if "status" not in texts:
            raise UnreadableAnswerError("which has no status", answer)
        created_on = _moment(record.get("created_on"))
        finished_on = _moment(record.get("finished_on"))
        if created_on and finished_on and finished_on < created_on:
            finished_on = None
        tokens = _number(record.get("trained_tokens"))
        options = record.get("options")
        return cls(
            id=texts["id"],
            status=JobStatus(texts["status"]),
            reported_status=texts["status"],
            progress=_number(record.get("progress"), most=1.0),
            error=_error(error) if (error := record.get("error")) else None,
            base_model=texts.get("base_model"),
            created_on=created_on,
            finished_on=finished_on,
            model=_without_at(texts.get("model")),
            training_data=texts.get("training_data"),
            validation_data=texts.get("validation_data"),
            trained_tokens=None if tokens is None else int(tokens),
            training_result=_results(record.get("training_result")),
            options=options if isinstance(options, Mapping) else None,
            others={key: value for key, value in record.items() if key not in _FIELDS},
            text=json.dumps(record),
            query_id=query_id,
        )

    @property
    def is_finished(self) -> bool:
        """Whether the job has finished: its status will not change any more."""
        return self.status in TERMINAL

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
        """How long the job took, in seconds; None unless Cortex reported its start and end."""
        if self.created_on is None or self.finished_on is None:
            return None
        return (self.finished_on - self.created_on).total_seconds()

    @property
    def status_text(self) -> str:
        """The status; an unknown one as Cortex wrote it."""
        return self.reported_status if self.status is JobStatus.UNKNOWN else self.status.value

    @property
    def state(self) -> str:
        """Status and progress, safe for a log: ``IN_PROGRESS 33 %``."""
        status = for_log(self.status_text)
        return status if self.progress is None else f"{status} {self.progress * 100:.0f} %"

    def seconds_left(self, *, now: float) -> float | None:
        """
        Return the seconds until a running job ends at its present speed; None if unknown.

        :param now: epoch seconds.
        """
        if self.is_finished or self.created_on is None or not self.progress:
            return None
        elapsed = max(0.0, now - self.created_on.timestamp())
        return elapsed * (1 - self.progress) / self.progress

    def to_dict(self) -> dict[str, Any]:
        """Return the whole answer, with unknown fields, ready for JSON."""
        record: dict[str, Any] = json.loads(self.text)
        return record

    def outcome(self) -> str:
        """
        Return the name of the model that a finished job has made.

        :raises FineTuneFailedError: if the job ended in ERROR.
        :raises FineTuneCancelledError: if it was cancelled.
        :raises MissingModelError: if it named no model, or has not finished.
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
        for result in reversed(self.training_result):
            if key in result:
                # If it is not a number (training diverged), no earlier figure replaces it. A
                # cross-entropy is never negative, either.
                return _number(result[key])
        return None


_FIELDS = frozenset(FineTuneJob.__dataclass_fields__)

_TEXT_FIELDS = ("id", "status", "base_model", "model", "training_data", "validation_data")


def parse_list(answer: object, *, skip_unreadable: bool = False) -> tuple[FineTuneJob, ...]:
    """
    Parse the answer to ``FINETUNE('SHOW')``: an array of all jobs of the account.

    :param skip_unreadable: leave out entries that are not jobs.
    :raises UnreadableAnswerError: if it is not an array, or an entry is not a job.
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


def _without_at(model: str | None) -> str | None:
    """Return a model's name without the ``@`` of arctic-extract (guess at-name)."""
    return None if model is None else model.removeprefix("@") or None


def _number(value: object, *, most: float = sys.float_info.max) -> float | None:
    """Return a number from 0 to *most*, None for anything else: no figure of a job is negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


def _moment(value: object) -> datetime | None:
    """Return the time in epoch milliseconds; None if it cannot be the time of a job."""
    number = _number(value)
    if number is None:
        return None
    try:
        moment = datetime.fromtimestamp(number / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.year in POSSIBLE_YEARS else None


def _results(value: object) -> tuple[Mapping[str, Any], ...]:
    """Snowflake's page shows an object; the type hints of snowflake-ml-python, a list."""
    entries = value if isinstance(value, list) else [value]
    return tuple([entry for entry in entries if isinstance(entry, Mapping)])


def _error(value: object) -> JobError | None:
    """
    Return the error in a record.

    Snowflake's page shows an object with code and message; text, and lists of both, are read, too.
    """
    value = _decode_error(value)
    if isinstance(value, Mapping):
        return _error_of_object(value) if value else None
    if isinstance(value, list):
        return _joined([error for error in map(_error_of_entry, value) if error])
    message = _error_part(value)
    return None if message is None else JobError(message=message)


def _decode_error(value: object) -> object:
    """Decode an object or a list whose text was encoded once or twice more."""
    for _ in range(2):
        if isinstance(value, str):
            with contextlib.suppress(ValueError, RecursionError):
                decoded = json.loads(value)
                # The text of a number is a message.
                value = value if isinstance(decoded, int | float) else decoded
    return value


def _error_of_object(value: Mapping[str, Any]) -> JobError:
    code = value.get("code")
    return JobError(
        message=_error_part(value.get("message")) or json.dumps(value, ensure_ascii=False),
        code=str(code) if _error_part(code) else None,
    )


def _error_of_entry(entry: object) -> JobError | None:
    # A nested list becomes text again. If it is too deep to decode, that text is the message.
    return _error(json.dumps(entry, ensure_ascii=False) if isinstance(entry, list) else entry)


def _joined(errors: list[JobError]) -> JobError | None:
    messages = "; ".join(error.message for error in errors)
    return JobError(message=messages, code=errors[0].code) if errors else None


def _error_part(value: object) -> str | None:
    """Return a value as text, or None if it is empty."""
    if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
