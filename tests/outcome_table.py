"""
The outcome table: what may happen while a task waits for a job, and how the task ends.

``test_outcomes.py`` tries each row in every mode.
"""

import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.tracked_job import Job
from tests.kill import is_hanging, signalled
from tests.worker import MODES

FLAGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
}
"""Arguments of Airflow's sensors that turn a failure into a skip."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state in which the task ends, for each of FLAGS."""

    plain: str
    soft_fail: str
    never_fail: str


SUCCEEDS = Verdict(plain="success", soft_fail="success", never_fail="success")
FAILS = Verdict(plain="failed", soft_fail="skipped", never_fail="skipped")
IS_SKIPPED = Verdict(plain="skipped", soft_fail="skipped", never_fail="skipped")
MAY_BE_RETRIED = Verdict(plain="up_for_retry", soft_fail="up_for_retry", never_fail="skipped")
TIMES_OUT = Verdict(plain="up_for_retry", soft_fail="skipped", never_fail="skipped")
"""execution_timeout has passed."""

Happens = Callable[[Emulator, Job], object]
"""Makes something happen, given the emulator and the job."""

Alarm = Callable[[Emulator], AbstractContextManager[None]]
"""Lets execution_timeout pass at a known moment of the wait, given the emulator."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    happens: Happens
    verdict: Verdict
    message: tuple[str, ...] = ()
    """What the error's message contains."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the sensor."""
    modes: tuple[str, ...] = MODES
    flags_in: tuple[str, ...] = MODES
    """The modes in which the flags are tried, too."""
    alarm: Alarm = lambda _: nullcontext()
    looks: int = 2
    """How often the job is seen running, if nothing happens to it."""


def fault(kind: str, **parameters: Any) -> Happens:
    """Add a fault to the emulator."""

    def happens(emulator: Emulator, job: Job) -> None:
        emulator.faults.add(kind, **parameters)

    return happens


def error(code: int, sqlstate: str) -> Happens:
    """Fail every statement with this error."""
    return fault("error", code=code, sqlstate=sqlstate, message="Not now.")


def record(**fields: Any) -> Happens:
    """Change fields of the record that DESCRIBE returns."""
    return fault("record", set=fields)


def in_turn(*all_happen: Happens) -> Happens:
    """Make one thing happen after the other."""

    def happens(emulator: Emulator, job: Job) -> None:
        for one in all_happen:
            one(emulator, job)

    return happens


def nothing(emulator: Emulator, job: Job) -> None:
    """Do nothing: the job is seen running twice, and succeeds."""


def job_fails(emulator: Emulator, job: Job) -> None:
    emulator.jobs.fail(job.id, code="INVALID_PARAMETER_VALUE", message="no rows in train")


def job_is_cancelled(emulator: Emulator, job: Job) -> None:
    emulator.jobs.cancel(job.id)


def job_stalls(emulator: Emulator, job: Job) -> None:
    emulator.jobs.stall(job.id, progress=0.4)


def success_is_reported_once(status: str) -> Happens:
    """Let one DESCRIBE report that the job has succeeded."""

    def happens(emulator: Emulator, job: Job) -> None:
        reported = {"status": status, "model": job.model}
        emulator.faults.add("record", set=reported, requests=1)

    return happens


def account_is_gone(emulator: Emulator, job: Job) -> None:
    emulator.stop()


def role_is_revoked(emulator: Emulator, job: Job) -> None:
    emulator.has_cortex_user_role = False


def password_is_changed(emulator: Emulator, job: Job) -> None:
    emulator.password = "another-password"


def connection_is_missing(emulator: Emulator, job: Job) -> None:
    del os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"]


TRANSIENT: dict[str, dict[str, Any]] = {
    "a connection that is closed at once": {"kind": "refuse"},
    "no answer": {"kind": "hang"},
    "no answer to a login": {"kind": "hang", "at": "login"},
    "a connection reset in mid-answer": {"kind": "reset"},
    "JSON cut short": {"kind": "cut"},
    "JSON cut short at login": {"kind": "cut", "at": "login"},
    "a proxy's page": {"kind": "html"},
    **{f"{status}": {"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)},
    "a proxy's 403 in a session": {"kind": "status", "status": 403, "at": "statement"},
    **{f"an expired session ({c})": {"kind": "session", "code": c} for c in range(390111, 390116)},
    "an internal error": {"kind": "error", "code": 603, "sqlstate": "XX000"},
    "a statement that was cancelled": {"kind": "error", "code": 604, "sqlstate": "57014"},
    "a statement that took too long": {"kind": "error", "code": 630, "sqlstate": "57014"},
    "a remote service error": {"kind": "error", "code": 100351, "sqlstate": "P0000"},
    "an unknown error": {"kind": "error", "code": 999999, "sqlstate": "53000"},
    "a NULL": {"kind": "null"},
    "no row": {"kind": "no-row"},
    "two rows": {"kind": "two-rows"},
    "another job's answer": {"kind": "other-job"},
    "text that is not JSON": {"kind": "unreadable", "text": "<html>Service unavailable</html>"},
    "JSON that is not a record": {"kind": "unreadable", "text": "[]"},
    "a record without a status": {"kind": "record", "remove": ["status"]},
}
"""Transient errors: the wait survives one, and ends if they last."""

PERMANENT: dict[str, Happens] = {
    "an unknown object": error(2003, "02000"),
    "no privilege": error(3001, "42501"),
    "an unknown function": error(2141, "42601"),
    "no warehouse": error(606, "57P03"),
    "an invalid value": error(1008, "22023"),
    "a revoked role": role_is_revoked,
    "an account that does not exist": fault("status", status=404, at="login"),
    "a rejected login": fault("login"),
    "a login that is rejected twice": fault("login", requests=2),
    "a user who is locked out": fault("login", code=390102, message="User temporarily locked."),
    "a changed password": password_is_changed,
    "a job that vanishes": in_turn(fault("record", requests=1), fault("vanish")),
}
"""Permanent errors: they end the wait at once."""

HARMLESS: dict[str, Happens] = {
    "a status in lower case": fault("record", set={"status": "in_progress"}, requests=2),
    "an unknown status": fault("record", set={"status": "Paused"}, requests=2),
    "no progress": fault("record", remove=["progress"]),
    "negative progress": record(progress=-0.5),
    "progress that is not a number": record(progress=float("nan")),
    "progress above 1": record(progress=17.0),
    "progress in words": record(progress="half"),
    "progress that goes backwards": in_turn(
        fault("record", set={"progress": 0.9}, requests=1),
        fault("record", set={"progress": 0.1}, requests=1),
    ),
    "an unknown field": record(mood={"is": ["good"]}),
    "a success that is taken back": in_turn(
        success_is_reported_once("SUCCESS"), record(status="IN_PROGRESS")
    ),
    "a statement slower than the interval": fault("slow", delay=0.05),
    "a login that is rejected once": fault("login", requests=1),
    "sessions that are dropped": in_turn(fault("record", requests=1), fault("expire")),
    "a clock that is an hour ahead": fault("clock", jump=3600.0),
    "a clock that is a day behind": fault("clock", jump=-86400.0),
}
"""Odd, but the wait goes on and ends with the job's model."""


@contextmanager
def alarm_between_polls(emulator: Emulator) -> Iterator[None]:
    """Let the time be up as soon as the worker sleeps."""
    sleep = time.sleep

    def sleep_after_the_alarm(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGALRM)  # as Airflow's own timer does
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", sleep_after_the_alarm)
        yield


@contextmanager
def alarm_during_a_statement(emulator: Emulator) -> Iterator[None]:
    """Let the time be up while the worker waits for the answer to a statement that hangs."""
    earlier = len(emulator.faults.struck)
    with signalled(signal.SIGALRM, lambda: is_hanging(emulator, earlier=earlier)):
        yield


def flags_in_one_mode(rows: dict[str, Row]) -> dict[str, Row]:
    """
    Return rows that end alike, each to be tried with the flags in one mode.

    The mode depends on the row's name alone: other rows do not change it.
    """
    return {
        name: replace(row, flags_in=(MODES[zlib.crc32(name.encode()) % len(MODES)],))
        for name, row in rows.items()
    }


LOST = "Lost contact", "may still be running"
STOPPED = "Stopped waiting", "IN_PROGRESS 40 %", "may still be running"

SHORT = {"timeout": 0.05}
HOUR = {"execution_timeout": timedelta(hours=1)}

TABLE = {
    "SUCCESS": Row(nothing, SUCCEEDS),
    **flags_in_one_mode({name: Row(happens, SUCCEEDS) for name, happens in HARMLESS.items()}),
    **flags_in_one_mode(
        {
            f"{name}, once": Row(fault(**kind, requests=1), SUCCEEDS, looks=1)
            for name, kind in TRANSIENT.items()
        }
    ),
    **flags_in_one_mode(
        {
            f"{name}, for longer than the budget": Row(
                fault(**kind), MAY_BE_RETRIED, LOST, {"contact_timeout": 0.01}
            )
            for name, kind in TRANSIENT.items()
        }
    ),
    **flags_in_one_mode({name: Row(happens, FAILS) for name, happens in PERMANENT.items()}),
    "SUCCESS in lower case": Row(success_is_reported_once("success"), SUCCEEDS),
    "SUCCESS without a model": Row(
        fault("record", set={"status": "SUCCESS"}, remove=["model"]),
        MAY_BE_RETRIED,
        ("named no model", '"status": "SUCCESS"'),
    ),
    "SUCCESS with an empty model": Row(
        record(status="SUCCESS", model=" "), MAY_BE_RETRIED, ("named no model",)
    ),
    "ERROR": Row(job_fails, FAILS, ("INVALID_PARAMETER_VALUE: no rows in train",)),
    "ERROR that is taken back": Row(
        fault(
            "record", set={"status": "ERROR", "error": {"code": "X", "message": "y"}}, requests=1
        ),
        FAILS,
        ("X: y",),
    ),
    "CANCELLED": Row(job_is_cancelled, FAILS, ("was cancelled",)),
    "CANCELLED, with skip_on_cancelled": Row(
        job_is_cancelled, IS_SKIPPED, ("was cancelled",), {"skip_on_cancelled": True}
    ),
    "an unknown status that stays": Row(
        record(status="Paused"), FAILS, ("Stopped waiting", "Paused", "may still be running"), SHORT
    ),
    "the sensor's timeout": Row(job_stalls, FAILS, STOPPED, SHORT),
    "the sensor's timeout, amid transient errors": Row(
        fault("null"), FAILS, ("Stopped waiting", "never seen"), SHORT
    ),
    "execution_timeout, between two polls": Row(
        job_stalls, TIMES_OUT, STOPPED, HOUR, modes=("poke",), alarm=alarm_between_polls
    ),
    "execution_timeout, during a poll": Row(
        # The first poll is answered.
        in_turn(job_stalls, fault("slow", delay=0, requests=1), fault("hang", requests=1)),
        TIMES_OUT,
        STOPPED,
        HOUR,
        modes=("poke",),
        alarm=alarm_during_a_statement,
    ),
    "execution_timeout, while deferred": Row(
        job_stalls,
        TIMES_OUT,
        STOPPED,
        {**HOUR, "timeout": timedelta(hours=2), "poke_interval": 300},
        modes=("deferrable",),
    ),
    # In this mode it limits one poll.
    "execution_timeout, of a rescheduled poll": Row(
        fault("null"),
        TIMES_OUT,
        ("Stopped waiting", "never seen", "may still be running"),
        HOUR,
        modes=("reschedule",),
        alarm=alarm_between_polls,
    ),
    "an account that is gone for longer than the budget": Row(
        account_is_gone,
        MAY_BE_RETRIED,
        (*LOST, "'snowflake_default'", "python -m airflow_provider_cortex.emulator"),
        {"contact_timeout": 0.01},
    ),
    "an unknown job": Row(
        nothing, FAILS, ("ft_unknown", "does not exist"), {"finetune_job_id": "ft_unknown"}
    ),
    "no such connection": Row(
        connection_is_missing, MAY_BE_RETRIED, ("snowflake_conn_id", "'snowflake_default'")
    ),
    "an empty job id": Row(nothing, FAILS, ("finetune_job_id",), {"finetune_job_id": "  "}),
}
