"""Check a private API of the installed Airflow, and fail with what to do if it has changed."""

import importlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import airflow

VERSIONS = (
    f"Airflow {airflow.__version__}, its Snowflake provider"
    f" {version('apache-airflow-providers-snowflake')}"
)

TESTED: dict[str, Any] = {}
"""The tested entries, by their names."""


def covers(*names: str) -> Callable[[Any], Any]:
    """Mark a test as the one of these entries of compat.py."""

    def mark(test: Any) -> Any:
        TESTED.update(dict.fromkeys(names, test))
        return test

    return mark


def check(is_met: object, expectation: str, entry: object) -> None:
    """Fail with what was expected of the installed versions, and with an entry's advice."""
    name = getattr(entry, "__name__", entry)
    assert is_met, (
        f"{VERSIONS}: expected that {expectation}. Adapt {name} in"
        f" airflow_provider_cortex/airflow_api/compat.py, which says:\n{inspect.getdoc(entry)}"
    )


def has(module: str, path: str, entry: object) -> Any:
    """Return what a module has under a dotted path; fail with the entry's advice if it has not."""
    where = f"{module}.{path}"
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        check(False, f"{where} exists; got {error!r}", entry)
    return found


def accepts(function: Callable[..., object], entry: object, *arguments: Any, **named: Any) -> None:
    """Check that a function can be called with such arguments."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError as error:
        check(False, f"{function.__qualname__} accepts them; got {error!r}", entry)
