"""
The kinds of faults: what each does, at which points it may strike, and its parameters.

:func:`check` rejects anything else.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cortex.emulator.sql_errors import internal_error

# The points at which a fault may strike an HTTP request.
LOGIN = "login"
STATEMENT = "statement"
QUERY = "query"
"""A request for the status or the result of an asynchronous query."""
LOGOUT = "logout"
OTHER = "other"
"""Any other request, such as a heartbeat or a renewal. Only *ANY* includes it."""
ANY = "any"
"""Any of these requests."""

# The points at which it may strike a call inside a statement, which may contain many.
DESCRIBE = "describe"
COMPLETE = "complete"
"""The completion of one prompt."""
EXTRACT = "extract"
"""The extraction from one document."""

CALL_FILTERS: Mapping[str, str] = {DESCRIBE: "job_id", COMPLETE: "prompt", EXTRACT: "document"}
"""Which argument restricts a fault to some of the calls."""

_STATEMENT_FIRST = (STATEMENT, LOGIN, QUERY, LOGOUT, ANY)
_ANY_FIRST = (ANY, LOGIN, STATEMENT, QUERY, LOGOUT)

_INTERNAL_ERROR = internal_error()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One thing that can go wrong."""

    meaning: str
    at: tuple[str, ...] = ()
    """The points at which it may strike, the default first; none if it strikes no requests."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Names and defaults."""
    takes: tuple[str, ...] = ("requests", "seconds", "share")
    """The limits that it accepts."""


FAULT_KINDS: Mapping[str, FaultKind] = {
    "refuse": FaultKind("the connection is closed without a response", _ANY_FIRST),
    "hang": FaultKind(
        "no response until the fault is cleared, its time is up or the client disconnects",
        _STATEMENT_FIRST,
    ),
    "slow": FaultKind(
        "served after a delay in seconds, even if the client has disconnected",
        _STATEMENT_FIRST,
        {"delay": 1.0},
    ),
    "reset": FaultKind(
        "served, but the connection is closed in the middle of the response", _STATEMENT_FIRST
    ),
    "cut": FaultKind(
        "served, but the response is the first half of its JSON, sent as if it were complete",
        _STATEMENT_FIRST,
    ),
    "status": FaultKind("an empty response with this HTTP status", _ANY_FIRST, {"status": 503}),
    "html": FaultKind("the HTML page of a proxy, with HTTP 200", _ANY_FIRST),
    "login": FaultKind(
        "the login is rejected",
        (LOGIN,),
        {"code": 390100, "message": "Incorrect username or password was specified."},
    ),
    "session": FaultKind(
        "the session of the statement ends; new logins work", (STATEMENT,), {"code": 390112}
    ),
    "expire": FaultKind("all open sessions end, immediately; new logins work", takes=()),
    "error": FaultKind(
        "the statement, each statement that describes the job, or the prompt fails "
        "with this SQL error; a document's answer has its message",
        (STATEMENT, DESCRIBE, COMPLETE, EXTRACT),
        {
            "code": _INTERNAL_ERROR.errno,
            "sqlstate": _INTERNAL_ERROR.sqlstate,
            "message": _INTERNAL_ERROR.message,
        },
    ),
    "no-row": FaultKind("the statement is executed, but returns no rows", (STATEMENT,)),
    "two-rows": FaultKind("the statement is executed, but returns each row twice", (STATEMENT,)),
    "null": FaultKind(
        "DESCRIBE, the completion of the prompt, or the document's answer is NULL",
        (DESCRIBE, COMPLETE, EXTRACT),
    ),
    "other-job": FaultKind(
        "DESCRIBE returns the record with another job's id", (DESCRIBE,), {"id": "ft_another"}
    ),
    "unreadable": FaultKind(
        "DESCRIBE returns this text, or the model answers it, whatever the response format says",
        (DESCRIBE, COMPLETE, EXTRACT),
        {"text": "Not JSON."},
    ),
    "record": FaultKind(
        "DESCRIBE returns the record with these fields set or removed",
        (DESCRIBE,),
        {"set": {}, "remove": []},
    ),
    "vanish": FaultKind("DESCRIBE fails because the job does not exist", (DESCRIBE,)),
    "clock": FaultKind(
        "the account's clock is wrong by this number of seconds",
        (),
        {"jump": 3600.0},
        ("seconds",),
    ),
}


def check(
    kind: object, *, at: str | None, limits: Mapping[str, Any], parameters: Mapping[str, Any]
) -> str | None:
    """
    Return the point at which the fault strikes: *at*, or else the kind's default.

    :param limits: only those that are given.
    :raises ValueError: if an argument is wrong; the message names it.
    """
    known = FAULT_KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise ValueError(f"kind must be one of {', '.join(FAULT_KINDS)}; got {kind!r}")
    if at is None:
        at = _default_point(known, limits)
    elif at not in known.at:
        raise ValueError(f"at must be {' or '.join(known.at) or 'omitted'} for {kind}; got {at!r}")
    accepted = [*known.takes, CALL_FILTERS.get(at or "")]
    if unknown := _first_not_in(accepted, limits):
        raise ValueError(f"{kind}{f' at {at}' if at else ''} does not accept {unknown}")
    if unknown := _first_not_in(known.parameters, parameters):
        names = ", ".join(known.parameters) or "none"
        raise ValueError(f"{kind} has no parameter {unknown}; its parameters: {names}")
    for name, value in {**limits, **parameters}.items():
        rule, is_valid = _RULES[name]
        if not is_valid(value):
            raise ValueError(f"{name} must be {rule}; got {value!r}")
    return at


def _default_point(kind: FaultKind, limits: Mapping[str, Any]) -> str | None:
    """Return the point that *job_id*, *prompt* or *document* implies, or else the kind's first one."""
    implied = (point for point, name in CALL_FILTERS.items() if name in limits)
    return next((point for point in implied if point in kind.at), next(iter(kind.at), None))


def _first_not_in(accepted: Iterable[str | None], given: Iterable[str]) -> str | None:
    return next((name for name in given if name not in set(accepted)), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_record(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


_TEXT: tuple[str, Callable[[Any], bool]] = "a text", lambda value: isinstance(value, str)

_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "job_id": _TEXT,
    "prompt": _TEXT,
    "document": _TEXT,
    "requests": ("an integer of at least 1", lambda value: _is_integer(value, 1)),
    "seconds": ("a number above 0", lambda value: _is_number(value) and value > 0),
    "share": ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "status": ("an HTTP status from 200 to 599", lambda value: _is_integer(value, 200, 599)),
    "delay": ("a number of at least 0", lambda value: _is_number(value) and value >= 0),
    "code": ("an integer of up to six digits", lambda value: _is_integer(value, 0, 999_999)),
    "sqlstate": _TEXT,
    "message": _TEXT,
    "id": _TEXT,
    "text": _TEXT,
    "set": ("an object that JSON can represent", _is_record),
    "remove": ("a list of names", _are_names),
    "jump": ("a number", _is_number),
}
