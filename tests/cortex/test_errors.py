"""The errors of this package, and their messages."""

import inspect
import re

import pytest

from airflow_provider_cortex import errors
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    EmptyArgumentError,
    FineTuneTimeoutError,
)
from airflow_provider_cortex.safe_text import excerpt


def test_the_module_lists_all_errors() -> None:
    """Its docstring shows the tree of errors."""
    listed = re.findall(r"(?:── )?(\w+Error)\b", errors.__doc__ or "")
    classes = [name for name, _ in inspect.getmembers(errors, inspect.isclass) if "Error" in name]
    assert sorted(listed) == sorted(classes)


def test_the_text_of_an_error_is_its_summary_and_its_advice() -> None:
    """A caller that is not an Airflow task shows the summary alone."""
    error = FineTuneTimeoutError("ft_1", 60.0, "IN_PROGRESS 40 %")
    assert error.summary == (
        "Stopped waiting for fine-tuning job ft_1 after 60 s. Last known state: IN_PROGRESS 40 %."
        " It may still be running and costing money."
    )
    assert str(error) == (
        f"{error.summary} Increase timeout or execution_timeout to wait longer, or cancel the job"
        " with SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', 'ft_1')."
    )


def test_the_summary_has_no_advice_for_airflow() -> None:
    """A retry is something that only a task has."""
    error = ContactLostError("ft_1", 900.0, "timeout", "never seen")
    assert "retry" in str(error)
    assert "retry" not in error.summary


def test_an_error_without_advice_is_its_summary() -> None:
    """Its text has no trailing space."""
    assert str(CortexError("no")) == CortexError("no").summary == "no"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "must be non-empty text; got None from '{{ x }}'. If another task"),
        ("", "must be non-empty text; got '' from '{{ x }}'. If another task"),
        (b"hush", "must be non-empty text; got a value of type bytes from '{{ x }}'."),
    ],
)
def test_an_empty_argument_may_come_from_another_task(value: object, text: str) -> None:
    """A value that is not text is not quoted: it may be long or confidential."""
    error = EmptyArgumentError("job", value, "{{ x }}")
    assert str(error).startswith(f"job {text}")
    assert "hush" not in str(error)


def test_an_excerpt_is_one_short_line() -> None:
    """A shortened text states its full length."""
    assert excerpt("a\n  b") == "a b"
    assert excerpt({"a": 1}) == "{'a': 1}"
    assert excerpt("x" * 301) == f"{'x' * 300}… (301 characters)"
