"""
Faults that a test asks for, and the decision which request each of them strikes.

    emulator.faults.add("status", status=503, requests=2)
    emulator.faults.add("error", at="complete", prompt="invoice", message="too long")
    emulator.faults.add("unreadable", prompt="<expected>", text="Very good!")  # a judge's answers
    emulator.faults.add("record", job_id=job.id, set={"status": "PAUSED"}, remove=["progress"])
    emulator.faults.clear()

Contains no SQL and no HTTP. The effect of a fault is implemented where it occurs:
*connection_faults* (the connection), *http_app* (logins and sessions), *statement_requests*
(statements), *finetune_function* (DESCRIBE), *complete_functions* (prompts) and *extract_function*
(documents).
"""

import copy
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.emulator.fault_kinds import ANY, CALL_FILTERS, FAULT_KINDS, check
from airflow_provider_cortex.emulator.life import Clock
from airflow_provider_cortex.emulator.sql_errors import SqlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and when."""

    kind: str
    """Such as ``status``."""
    parameters: Mapping[str, Any]
    """What :meth:`Faults.add` got besides the other fields, and the kind's defaults."""
    at: str | None = None
    """The point at which it strikes; None for a kind that strikes no request."""
    job_id: str | None = None
    """Strike only DESCRIBEs of this job."""
    prompt: str | None = None
    """Strike only prompts that contain this text."""
    document: str | None = None
    """Strike only files whose paths, or texts that contain this text."""
    requests: int | None = None
    """Strike this many times. At a call, each call in a statement counts."""
    seconds: float | None = None
    """Strike for this time, by the emulator's clock."""
    share: float | None = None
    """Strike this share of the requests, evenly spread: 0.25 means every fourth."""

    @property
    def code(self) -> str:
        """The parameter *code* as Snowflake writes it: six digits."""
        return f"{self.parameters['code']:06}"

    @property
    def error(self) -> SqlError:
        """The error that a fault of kind ``error`` raises."""
        return SqlError(
            errno=self.parameters["code"],
            sqlstate=self.parameters["sqlstate"],
            message=self.parameters["message"],
        )

    def applies_to(self, point: str, target: str) -> bool:
        """Return whether it may strike at *point*; *target* is as :meth:`Faults.strike` has it."""
        if self.at == ANY:
            return point not in CALL_FILTERS
        part = self.prompt or self.document or ""
        return self.at == point and self.job_id in {None, target} and part in target


@dataclass(slots=True)
class _ActiveFault:
    """A fault, and how much of it is left."""

    fault: Fault
    ends_on: float
    """Epoch seconds."""
    left: float
    """How many times it may still strike."""
    met: int = 0
    """How many requests it applied to."""

    def is_finished(self, now: float) -> bool:
        return self.left <= 0 or now >= self.ends_on

    def strikes(self) -> bool:
        """Count a request that it applies to, and return whether this one is struck."""
        before = self._due
        self.met += 1
        if self._due == before:
            return False
        self.left -= 1
        return True

    @property
    def _due(self) -> int:
        """How many requests it should have struck by now."""
        share = 1 if self.fault.share is None else self.fault.share
        return math.floor(self.met * share + 1e-9)  # otherwise three thirds might be below 1


class Faults:
    """
    The faults of one emulator. Safe to use from several threads.

    If several apply to a request, only the one that was added first strikes.
    """

    def __init__(self, *, clock: Clock, end_sessions: Callable[[], None]) -> None:
        self._clock = clock
        self._end_sessions = end_sessions
        self._active: list[_ActiveFault] = []
        self._struck: list[Fault] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Fault]:
        """Iterate over the faults that may still strike."""
        with self._lock:
            now = self._clock()
            return iter([active.fault for active in self._active if not active.is_finished(now)])

    def add(
        self,
        kind: str,
        /,
        *,
        at: str | None = None,
        job_id: str | None = None,
        prompt: str | None = None,
        document: str | None = None,
        requests: int | None = None,
        seconds: float | None = None,
        share: float | None = None,
        **parameters: object,
    ) -> Fault:
        """
        Add a fault. It lasts until :meth:`clear`, or until one of its limits is reached.

        :param kind: a key of *FAULT_KINDS*, which also lists its *parameters*.
        :param at: ``login``, ``statement``, ``query``, ``logout``, ``any``, ``describe``,
            ``complete`` or ``extract``, if the kind allows it.
        :raises ValueError: if an argument is wrong; the message names it.
        """
        limits: dict[str, Any] = {
            "job_id": job_id,
            "prompt": prompt,
            "document": document,
            "requests": requests,
            "seconds": seconds,
            "share": share,
        }
        given = {name: value for name, value in limits.items() if value is not None}
        at = check(kind, at=at, limits=given, parameters=parameters)
        # Copied, because the caller may change its dictionary, and the defaults must not change.
        chosen = copy.deepcopy({**FAULT_KINDS[kind].parameters, **parameters})
        fault = Fault(kind=kind, at=at, parameters=chosen, **limits)
        if kind == "expire":
            self._end_sessions()
            return fault
        with self._lock:
            ends_on = math.inf if seconds is None else self._clock() + seconds
            left = math.inf if requests is None else requests
            self._active.append(_ActiveFault(fault, ends_on=ends_on, left=left))
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active.clear()

    @property
    def struck(self) -> list[Fault]:
        """The faults that have struck so far, once for each time."""
        with self._lock:
            return list(self._struck)

    @property
    def clock_error(self) -> float:
        """By how many seconds the account's clock is wrong."""
        return sum(float(fault.parameters["jump"]) for fault in self if fault.kind == "clock")

    def strike(self, point: str, target: str = "") -> Fault | None:
        """
        Return the fault that strikes this request, or None.

        :param target: the id of the job to describe, the prompt to complete, or the path or text of
            the document to extract from.
        """
        with self._lock:
            now = self._clock()
            for active in self._active:
                if (
                    active.fault.applies_to(point, target)
                    and not active.is_finished(now)
                    and active.strikes()
                ):
                    self._struck.append(active.fault)
                    return active.fault
        return None

    def is_lasting(self, fault: Fault) -> bool:
        """Return whether *fault* is neither cleared nor past its time. Its count is ignored."""
        with self._lock:
            now = self._clock()
            return any(each.fault is fault and now < each.ends_on for each in self._active)
