"""Arguments as Airflow really delivers them: from templates, XComs and databases."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

from airflow_provider_cortex.errors import ArgumentError, UnsupportedValueError, excerpt

_CALL = re.compile(r"\b(?:Decimal|datetime\.\w+|UUID)\(([^()]*)\)")
"""How Python writes a value of a database that is no literal."""

RESULTS = ("[(", "[[", "[{", "((", "([", "({")
"""How text begins that a template has made of a query's result."""


def is_number(value: object) -> bool:
    """Return whether a value is a number of any real type: int, float, Decimal, NumPy's; not a bool."""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def as_float(value: object) -> float:
    """Return a number, or the one that a text has; NaN for anything else, and for what no float can hold."""
    if not is_number(value) and not isinstance(value, str):
        return math.nan
    exact: Any = value
    try:
        return float(exact)
    except (ValueError, OverflowError):
        return math.nan


def number(argument: str, value: object) -> float:
    """
    Return a finite number that is not negative, given as any real number, as text, or in one row of one cell.

    :raises ArgumentError: if it is none; a bool and NaN are none.
    """
    cell = one_cell(argument, value)
    found = as_float(cell)
    if 0 <= found < math.inf:
        return found
    raise ArgumentError(
        argument, value, f"must be a number, at least 0 and finite, and is {excerpt(value)!r}."
    )


def one_cell(argument: str, value: object, source: str | None = None) -> object:
    """
    Return the cell of a query's result that is one row of one cell, and any other value as it is.

    ``SQLExecuteQueryOperator`` returns ``[("ft_…",)]``; a template makes text of that.

    :param source: how the argument stands in the DAG file, if that is known.
    :raises ArgumentError: if there are more rows or cells than one, or none.
    """

    def refused(found: str) -> ArgumentError:
        gave = f"{excerpt(source)!r} gave" if source else "it is"
        select = "Select one row and one column: SELECT … LIMIT 1."
        return ArgumentError(argument, value, f"must be one value, and {gave} {found}. {select}")

    cell = _literal(value) if isinstance(value, str) else value
    if isinstance(cell, str) and cell.lstrip().startswith(RESULTS):
        raise refused("a query's result that cannot be read")
    while isinstance(cell, list | tuple | Mapping):
        cells = list(cell.values()) if isinstance(cell, Mapping) else cell
        if len(cells) != 1:
            raise refused(f"a result of {len(cells)} rows or columns")
        cell = cells[0]
    return cell


def mapping(argument: str, value: object) -> Mapping[str, Any] | None:
    """
    Return an object that is given as such, as JSON text, or not at all (None, or JSON's null).

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
    problem = f"it is neither a mapping nor a JSON object as text (| tojson), but of type {kind}"
    raise UnsupportedValueError(argument, value, problem)


def json_number(value: object) -> int | float:
    """
    Return a number that JSON has in the place of one that it has not: for ``json.dumps(default=…)``.

    :raises TypeError: if the value is no real number.
    """
    if is_number(value):
        exact: Any = value
        return int(exact) if math.isfinite(exact) and exact == int(exact) else float(exact)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _literal(text: str) -> object:
    """Return the result that a template has made text of, as Python or JSON has it, and any other text as it is."""
    if not text.strip().startswith(("[", "(", "{")):
        return text
    for read in json.loads, _python:
        try:
            found: object = read(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, list | tuple | dict) else text
    return text


def _python(text: str) -> object:
    """Return what Python's literals say; a Decimal or a date among them is the text in it."""
    return ast.literal_eval(_CALL.sub(lambda call: repr(call[1].strip("'\"")), text))
