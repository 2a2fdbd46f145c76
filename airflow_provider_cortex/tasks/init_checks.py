"""Check an operator's arguments when the DAG file is parsed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal, get_args

from airflow_provider_cortex.cortex.rendered_values import as_float, is_number
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import excerpt

PREVIOUS: Literal["previous"] = "previous"

IfTableExists = Literal["fail", "replace", "append"]
IF_TABLE_EXISTS: tuple[str, ...] = get_args(IfTableExists)


def is_literal(value: object) -> bool:
    """Return whether an argument is known already: neither a template nor an XCom."""
    return (
        isinstance(value, bool) or is_number(value) or (isinstance(value, str) and "{" not in value)
    )


def one_of(argument: str, value: object, allowed: Sequence[str]) -> str:
    """
    Return a word that must be one of several.

    :raises ArgumentError: if it is not.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise ArgumentError(
        argument, value, f"must be one of {', '.join(allowed)}; got {excerpt(repr(value))}"
    )


def seconds(argument: str, value: float | timedelta, *, least: float | None = None) -> float:
    """
    Return a duration in seconds.

    :param least: the shortest allowed; by default it must be more than 0.
    :raises ValueError: if it is not a real number, NaN, infinite or too short.
    """
    if isinstance(value, timedelta):
        number = value.total_seconds()
    else:
        number = as_float(value) if is_number(value) else math.nan
    if not number < math.inf or not (number > 0 if least is None else number >= least):
        bound = "more than 0" if least is None else f"at least {least:g}"
        raise ValueError(f"{argument} must be seconds, {bound}, or a timedelta; got {value!r}")
    return number


def expected_seconds(
    value: float | timedelta | str | None,
) -> float | Literal["previous"] | None:
    """
    Return a sensor's *expected_duration* in seconds.

    :raises ValueError: if it is not a duration, ``"previous"`` or None.
    """
    if value is None:
        return None
    if value == PREVIOUS:
        return PREVIOUS
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - as Airflow raises for arguments
            "expected_duration must be seconds, more than 0, a timedelta, or"
            f" {PREVIOUS!r}; got {value!r}"
        )
    return seconds("expected_duration", value)


def error_rate(value: object) -> float:
    """
    Return *max_error_rate*.

    :raises ValueError: if it is not from 0 to 1.
    """
    rate = as_float(value) if is_number(value) else math.nan
    if not 0 <= rate <= 1:
        raise ValueError(f"max_error_rate must be from 0 to 1; got {value!r}")
    return rate


@contextmanager
def as_value_error() -> Iterator[None]:
    """Raise an argument's error as Airflow expects it when a DAG file is parsed."""
    try:
        yield
    except ArgumentError as error:
        raise ValueError(str(error)) from error
