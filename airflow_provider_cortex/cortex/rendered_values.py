"""Read arguments in the forms in which templates, XComs and databases deliver them."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

from airflow_provider_cortex.errors import (
    ArgumentError,
    EmptyArgumentError,
    UnsupportedValueError,
)
from airflow_provider_cortex.safe_text import excerpt

_CALL = re.compile(r"\b(?:Decimal|datetime\.\w+|UUID)\(([^()]*)\)")
"""How ``repr()`` shows a database's value that is not a literal."""

_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")

RESULT_PREFIXES = ("[(", "[[", "[{", "((", "([", "({")
"""The start of text that a template rendered from a query's result."""


def is_number(value: object) -> bool:
    """Return whether a value is a real number (int, float, Decimal, NumPy's), and not a bool."""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def as_float(value: object) -> float:
    """Return a number, or text that holds one, as a float; NaN for anything else."""
    if not is_number(value) and not isinstance(value, str):
        return math.nan
    number_or_text: Any = value
    try:
        return float(number_or_text)
    except (ValueError, OverflowError):
        return math.nan


def number(argument: str, value: object, *, least: float = 0.0) -> float:
    """
    Return a finite number.

    It may be given as any real number, as text, or as a query's result of one row and one column.

    :param least: the least that it may be.
    :raises ArgumentError: if it is anything else, such as a bool or NaN.
    """
    found = as_float(one_cell(argument, value))
    if least <= found < math.inf:
        return found
    problem = f"must be a number, at least {least:g} and finite; got {excerpt(value)!r}."
    raise ArgumentError(argument, value, problem)


def share(argument: str, value: object) -> float:
    """
    Return a number from 0 to 1, given in any form that :func:`number` accepts.

    :raises ArgumentError: if it is anything else.
    """
    found = as_float(one_cell(argument, value))
    if 0 <= found <= 1:
        return found
    raise ArgumentError(
        argument, value, f"must be a share of rows, from 0 to 1; got {excerpt(value)!r}."
    )


def whole_number(argument: str, value: object) -> int:
    """
    Return a whole number that is at least 1, given in any form that :func:`number` accepts.

    :raises ArgumentError: if it is anything else.
    """
    found = as_float(one_cell(argument, value))
    if 1 <= found < math.inf and found == int(found):
        return int(found)
    raise ArgumentError(
        argument, value, f"must be a whole number, at least 1; got {excerpt(value)!r}."
    )


def text(argument: str, value: object) -> str:
    """
    Return an argument as text that the driver can bind.

    A number is converted to text: ``render_template_as_native_obj`` turns ``"2024"`` into 2024.

    :raises UnsupportedValueError: if it is not text, or has a character that would not arrive: NUL
        ends a text early in some layers, and half a surrogate pair has no UTF-8 form.
    """
    if not isinstance(value, str):
        if not is_number(value):
            kind = type(value).__name__
            raise UnsupportedValueError(argument, value, f"it is of type {kind}, not text")
        value = str(value)
    if found := _NUL_OR_SURROGATE.search(value):
        raise unsendable(argument, value, found[0])
    # The driver accepts no subclass of str, such as an enum member or Jinja's escaped text.
    return str.__str__(value)


def unsendable(argument: str, value: object, character: str) -> UnsupportedValueError:
    """Return the error for a value with a NUL, or half a surrogate pair."""
    what = "half a surrogate pair" if character > "\ud7ff" else "a NUL character"
    return UnsupportedValueError(argument, value, f"it contains {what}")


def one_cell(argument: str, value: object, source: str | None = None) -> object:
    """
    Return the cell of a query's result of one row and one column; other values as they are.

    ``SQLExecuteQueryOperator`` returns ``[("ft_…",)]``, which a template renders to text.

    :param source: the argument as written in the DAG file, if known.
    :raises ArgumentError: if the result has no cell, or more than one.
    """
    cell = _parse_result(value) if isinstance(value, str) else value
    if isinstance(cell, str) and cell.lstrip().startswith(RESULT_PREFIXES):
        raise _not_one_cell(argument, value, source, "a query's result that cannot be parsed")
    while isinstance(cell, list | tuple | Mapping):
        cells = list(cell.values()) if isinstance(cell, Mapping) else cell
        if len(cells) != 1:
            result = f"a result of {len(cells)} rows or columns"
            raise _not_one_cell(argument, value, source, result)
        cell = cells[0]
    return cell


def texts(argument: str, value: object, *, skip_empty: bool = False) -> list[str]:
    """
    Return several texts: a list of them, the text of a list, a query's result, or a single text.

    :param skip_empty: leave out empty ones; they may come from a template that finds nothing.
    :raises ArgumentError: if one is not text, or is empty.
    """
    parsed = _parse_result(value) if isinstance(value, str) else value
    is_one = isinstance(parsed, str | bytes | Mapping) or not isinstance(parsed, Iterable)
    items: Any = [parsed] if is_one else parsed
    found = []
    for item in items:
        cell = one_cell(argument, item)
        if cell is not None and str(cell).strip() not in {"", "None"}:
            found.append(text(argument, cell))
        elif not skip_empty:
            raise EmptyArgumentError(argument, cell)
    return found


def mapping(argument: str, value: object) -> Mapping[str, Any] | None:
    """
    Return a mapping that is given as such, as JSON text, or not at all (None or JSON's null).

    :raises UnsupportedValueError: if it is anything else.
    """
    if value is None or isinstance(value, Mapping):
        return value
    decoded: object = value
    if isinstance(value, str):
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            decoded = value
        if decoded is None or isinstance(decoded, dict):
            return decoded
    kind = type(decoded).__name__
    problem = (
        f"it must be a mapping or the text of a JSON object (| tojson); got one of type {kind}."
    )
    raise UnsupportedValueError(argument, value, problem)


def json_number(value: object) -> int | float:
    """
    Return a real number as one that JSON supports: for ``json.dumps(default=…)``.

    :raises TypeError: if the value is not a real number.
    """
    if is_number(value):
        real: Any = value
        return int(real) if math.isfinite(real) and real == int(real) else float(real)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _not_one_cell(argument: str, value: object, source: str | None, result: str) -> ArgumentError:
    origin = f" from {excerpt(source)!r}" if source else ""
    return ArgumentError(
        argument,
        value,
        f"must be one value; got {result}{origin}.",
        "Select one row and one column: SELECT … LIMIT 1.",
    )


def _parse_result(text: str) -> object:
    """Return a query's result from its text, in Python or JSON; any other text as it is."""
    if not text.strip().startswith(("[", "(", "{")):
        return text
    for parse in json.loads, _parse_python:
        try:
            found: object = parse(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, list | tuple | dict) else text
    return text


def _parse_python(text: str) -> object:
    """Return the value of Python's literals; a Decimal or date in them becomes its text."""
    return ast.literal_eval(_CALL.sub(lambda call: repr(call[1].strip("'\"")), text))
