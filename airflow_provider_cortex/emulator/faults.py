"""
What goes wrong on request: faults as data, and which request each of them strikes.

    emulator.faults.add("status", status=503, requests=2)
    emulator.faults.add("error", at="complete", prompt="invoice", message="too long")
    emulator.faults.add("record", job_id=job.id, set={"status": "PAUSED"}, remove=["progress"])
    emulator.faults.clear()

Knows neither SQL nor HTTP: what a fault does to what it strikes is said where that is made, in
*trouble* (the connection), *wire* (the answer), *finetune* (DESCRIBE) and *complete* (a prompt's answer).
"""

import copy
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cortex.emulator.errors import SqlError, internal_error

LOGIN = "login"
STATEMENT = "statement"
QUERY = "query"
"""Where an asynchronous query's status and result are asked for."""
LOGOUT = "logout"
DESCRIBE = "describe"
COMPLETE = "complete"
"""Where a prompt is answered."""
ANY = "any"
OTHER = "other"
"""Where requests are that only *ANY* covers: heartbeats, renewals."""

_STATEMENT_FIRST = (STATEMENT, LOGIN, QUERY, LOGOUT, ANY)
_ANY_FIRST = (ANY, LOGIN, STATEMENT, QUERY, LOGOUT)

_INTERNAL_ERROR = internal_error()


@dataclass(frozen=True, slots=True)
class Kind:
    """One way for things to go wrong."""

    meaning: str
    at: tuple[str, ...] = ()
    """Where it may strike, the default first; nowhere if it is not requests that it strikes."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Each with its default."""
    takes: tuple[str, ...] = ("requests", "seconds", "share")
    """By what it may be limited."""


KINDS: Mapping[str, Kind] = {
    "refuse": Kind("the connection is closed without a byte of an answer", _ANY_FIRST),
    "hang": Kind(
        "no answer until cleared, the time is up or the client gives up", _STATEMENT_FIRST
    ),
    "slow": Kind(
        "served after a delay, even if the client has given up", _STATEMENT_FIRST, {"delay": 1.0}
    ),
    "reset": Kind(
        "served, but the connection is cut in the middle of the answer", _STATEMENT_FIRST
    ),
    "cut": Kind(
        "served, but the answer is half of its JSON, as if that were all", _STATEMENT_FIRST
    ),
    "status": Kind("this HTTP status", _ANY_FIRST, {"status": 503}),
    "html": Kind("a proxy's page, with HTTP 200", _ANY_FIRST),
    "login": Kind(
        "the login is refused",
        (LOGIN,),
        {"code": 390100, "message": "Incorrect username or password was specified."},
    ),
    "session": Kind(
        "the statement's session is over; new logins work", (STATEMENT,), {"code": 390112}
    ),
    "expire": Kind("every session open now is over, at once; new logins work", takes=()),
    "error": Kind(
        "the statement, one that describes the job, or the answer to the prompt fails with a SQL error",
        (STATEMENT, DESCRIBE, COMPLETE),
        {
            "code": _INTERNAL_ERROR.errno,
            "sqlstate": _INTERNAL_ERROR.sqlstate,
            "message": _INTERNAL_ERROR.message,
        },
    ),
    "no-row": Kind("the statement is run, but answers no row", (STATEMENT,)),
    "two-rows": Kind("the statement is run, but answers each row twice", (STATEMENT,)),
    "null": Kind("DESCRIBE, or the answer to the prompt, is NULL", (DESCRIBE, COMPLETE)),
    "other-job": Kind("DESCRIBE tells of a job with another id", (DESCRIBE,), {"id": "ft_another"}),
    "unreadable": Kind("DESCRIBE is this text", (DESCRIBE,), {"text": "Not JSON."}),
    "record": Kind(
        "DESCRIBE has these fields set, and those removed", (DESCRIBE,), {"set": {}, "remove": []}
    ),
    "vanish": Kind("DESCRIBE says that the job does not exist", (DESCRIBE,)),
    "clock": Kind(
        "the account's clock is off by so many seconds", (), {"jump": 3600.0}, ("seconds",)
    ),
}


# What lies within a statement, by what chooses among the calls there.
_IN_STATEMENTS = {"job_id": DESCRIBE, "prompt": COMPLETE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and when."""

    kind: str
    parameters: Mapping[str, Any]
    at: str | None = None
    job_id: str | None = None
    """Strike only DESCRIBEs of this job."""
    prompt: str | None = None
    """Strike only prompts with this text in them."""
    requests: int | None = None
    """Strike the next so many; of DESCRIBEs and prompts, each counts that a statement has."""
    seconds: float | None = None
    """Strike for so long, by the emulator's clock."""
    share: float | None = None
    """Strike so many of all, evenly spread: of 0.25 every fourth."""

    @property
    def error(self) -> SqlError:
        """What a statement that an ``error`` strikes fails with."""
        return SqlError(
            errno=self.parameters["code"],
            sqlstate=self.parameters["sqlstate"],
            message=self.parameters["message"],
        )

    def is_for(self, place: str, what: str) -> bool:
        if self.at == ANY:
            return place not in _IN_STATEMENTS.values()
        return self.at == place and self.job_id in {None, what} and (self.prompt or "") in what


@dataclass(slots=True)
class _Course:
    """What has become of a fault so far."""

    fault: Fault
    until: float
    left: float
    met: int = 0
    """How many requests it could have struck."""

    def is_finished(self, now: float) -> bool:
        return self.left <= 0 or now >= self.until

    def strikes(self) -> bool:
        before = self._due
        self.met += 1
        if self._due == before:
            return False
        self.left -= 1
        return True

    @property
    def _due(self) -> int:
        """How many of those it has met its share comes to."""
        share = 1 if self.fault.share is None else self.fault.share
        return math.floor(self.met * share + 1e-9)  # else three thirds could fall short of one


class Faults:
    """
    The faults of one emulator. Safe to use from several threads.

    Of several that apply, the one that was added first strikes, alone.
    """

    def __init__(self, *, clock: Callable[[], float], end_sessions: Callable[[], None]) -> None:
        self._clock = clock
        self._end_sessions = end_sessions
        self._courses: list[_Course] = []
        self._struck: list[Fault] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Fault]:
        """Give those that may strike still."""
        with self._lock:
            now = self._clock()
            return iter([course.fault for course in self._courses if not course.is_finished(now)])

    def add(
        self,
        kind: str,
        /,
        *,
        at: str | None = None,
        job_id: str | None = None,
        prompt: str | None = None,
        requests: int | None = None,
        seconds: float | None = None,
        share: float | None = None,
        **parameters: object,
    ) -> Fault:
        """
        Let something go wrong from now on: until *clear*, unless it is limited.

        :param kind: one of *KINDS*, which lists the *parameters* too.
        :param at: ``login``, ``statement``, ``query``, ``logout``, ``any``, ``describe`` or
            ``complete``, if the kind allows it.
        :raises ValueError: names what is wrong with the arguments.
        """
        fault = _checked(
            kind,
            at=at,
            limits={
                "job_id": job_id,
                "prompt": prompt,
                "requests": requests,
                "seconds": seconds,
                "share": share,
            },
            parameters=parameters,
        )
        if kind == "expire":
            self._end_sessions()
            return fault
        with self._lock:
            until = math.inf if seconds is None else self._clock() + seconds
            left = math.inf if requests is None else requests
            self._courses.append(_Course(fault, until=until, left=left))
        return fault

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._courses.clear()

    @property
    def struck(self) -> list[Fault]:
        """What has gone wrong so far: a fault for each time that it struck."""
        with self._lock:
            return list(self._struck)

    @property
    def jump(self) -> float:
        """By how many seconds the account's clock is off."""
        return sum(float(fault.parameters["jump"]) for fault in self if fault.kind == "clock")

    def strike(self, place: str, what: str = "") -> Fault | None:
        """
        Return the fault that strikes this request, if any does.

        :param what: the job that is described, or the prompt that is answered.
        """
        with self._lock:
            now = self._clock()
            for course in self._courses:
                if (
                    course.fault.is_for(place, what)
                    and not course.is_finished(now)
                    and course.strikes()
                ):
                    self._struck.append(course.fault)
                    return course.fault
        return None

    def last(self, fault: Fault) -> bool:
        """Return whether *fault* is neither cleared nor its time up, however often it struck."""
        with self._lock:
            now = self._clock()
            return any(course.fault is fault and now < course.until for course in self._courses)


def _checked(
    kind: object, *, at: str | None, limits: dict[str, Any], parameters: dict[str, Any]
) -> Fault:
    if not isinstance(kind, str) or (known := KINDS.get(kind)) is None:
        raise ValueError(f"kind: {kind!r} is none of {', '.join(KINDS)}")
    given = {name: value for name, value in limits.items() if value is not None}
    if at is None and known.at:
        meant = [place for name, place in _IN_STATEMENTS.items() if name in given]
        at = next((place for place in meant if place in known.at), known.at[0])
    elif at is not None and at not in known.at:
        raise ValueError(f"at: {kind} knows {' and '.join(known.at) or 'none'}, not {at!r}")
    takes = [*known.takes, *(name for name, place in _IN_STATEMENTS.items() if place == at)]
    if refused := [name for name in given if name not in takes]:
        raise ValueError(f"{refused[0]}: {kind}{f' at {at}' if at else ''} is not limited by it")
    if refused := [name for name in parameters if name not in known.parameters]:
        has = ", ".join(known.parameters) or "none"
        raise ValueError(f"{refused[0]}: {kind} has no such parameter; it has {has}")
    for name, value in {**given, **parameters}.items():
        rule, holds = _RULES[name]
        if not holds(value):
            raise ValueError(f"{name}: is to be {rule}, not {value!r}")
    # Copied: the caller's dictionary may change, and the table's default must not.
    chosen = copy.deepcopy({**known.parameters, **parameters})
    return Fault(kind=kind, at=at, parameters=chosen, **limits)


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
    "requests": ("a whole number above 0", lambda value: _is_integer(value, 1)),
    "seconds": ("a number above 0", lambda value: _is_number(value) and value > 0),
    "share": ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "status": ("an HTTP status from 200 to 599", lambda value: _is_integer(value, 200, 599)),
    "delay": ("a number from 0", lambda value: _is_number(value) and value >= 0),
    "code": ("a number of up to six digits", lambda value: _is_integer(value, 0, 999_999)),
    "sqlstate": _TEXT,
    "message": _TEXT,
    "id": _TEXT,
    "text": _TEXT,
    "set": ("an object that JSON can tell", _is_record),
    "remove": ("a list of names", _are_names),
    "jump": ("a number", _is_number),
}
