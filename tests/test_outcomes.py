"""
How a wait ends: one table, the same in every mode.

Each row is a thing that happens to a job or on the way to it; each is tried in poke, reschedule and
deferrable mode, and with Airflow's soft_fail and never_fail, through the real driver. Below it, any sequence of such
things: no table has them all.
"""

import contextlib
import json
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
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.job import Job
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.waiting import poller, shared_client
from tests.clock import wait_until
from tests.worker import MODES, Result, Worker, in_mode

FLAGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
}

Ends = Mapping[str, str]
"""How the task ends, by its flag."""

SUCCEEDS: Ends = {"plain": "success", "soft_fail": "success", "never_fail": "success"}
FAILS: Ends = {"plain": "failed", "soft_fail": "skipped", "never_fail": "skipped"}
IS_SKIPPED: Ends = {"plain": "skipped", "soft_fail": "skipped", "never_fail": "skipped"}
MAY_BE_RETRIED: Ends = {
    "plain": "up_for_retry",
    "soft_fail": "up_for_retry",
    "never_fail": "skipped",
}
RUNS_INTO_EXECUTION_TIMEOUT: Ends = {
    "plain": "up_for_retry",
    "soft_fail": "skipped",
    "never_fail": "skipped",
}

Happening = Callable[[Emulator, Job], object]
"""Something that happens, given the emulator and the job."""

TimeIsUp = Callable[[Emulator], AbstractContextManager[None]]
"""Lets execution_timeout pass at a moment of the wait, given the emulator."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    happens: Happening
    ends: Ends
    says: tuple[str, ...] = ()
    """What the error tells."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = MODES
    flags_in: tuple[str, ...] = MODES
    """The modes in which it is tried with the flags, too."""
    time_is_up: TimeIsUp = lambda _: nullcontext()


def fault(kind: str, **parameters: Any) -> Happening:
    """Let the emulator have a fault."""

    def happens(emulator: Emulator, job: Job) -> None:
        emulator.faults.add(kind, **parameters)

    return happens


def error(code: int, sqlstate: str, **parameters: Any) -> Happening:
    """Let Snowflake answer statements with an error."""
    return fault("error", code=code, sqlstate=sqlstate, message="Not now.", **parameters)


def record(**fields: Any) -> Happening:
    """Let DESCRIBE tell other *fields* than it would."""
    return fault("record", set=fields)


def in_turn(*happenings: Happening) -> Happening:
    """Let one thing happen after the other."""

    def happens(emulator: Emulator, job: Job) -> None:
        for happening in happenings:
            happening(emulator, job)

    return happens


def nothing(emulator: Emulator, job: Job) -> None:
    """Do nothing: the job runs for two looks, and succeeds."""


def fails(emulator: Emulator, job: Job) -> None:
    emulator.jobs.fail(job.id, code="INVALID_PARAMETER_VALUE", message="no rows in train")


def is_cancelled(emulator: Emulator, job: Job) -> None:
    emulator.jobs.cancel(job.id)


def stalls(emulator: Emulator, job: Job) -> None:
    emulator.jobs.stall(job.id, progress=0.4)


def is_gone(emulator: Emulator, job: Job) -> None:
    emulator.stop()


def loses_its_role(emulator: Emulator, job: Job) -> None:
    emulator.has_cortex_user_role = False


def rotates_the_password(emulator: Emulator, job: Job) -> None:
    emulator.password = "another-password"


def succeeds(status: str) -> Happening:
    """Let DESCRIBE tell once that the job has succeeded."""

    def happens(emulator: Emulator, job: Job) -> None:
        told = {"status": status, "model": job.model}
        emulator.faults.add("record", set=told, requests=1)

    return happens


def no_connection(emulator: Emulator, job: Job) -> None:
    del os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"]


TROUBLE: dict[str, dict[str, Any]] = {
    "a connection that is closed at once": {"kind": "refuse"},
    "no answer": {"kind": "hang"},
    "no answer to a login": {"kind": "hang", "at": "login"},
    "a connection reset in mid-answer": {"kind": "reset"},
    "JSON cut short": {"kind": "cut"},
    "JSON cut short at login": {"kind": "cut", "at": "login"},
    "a proxy's page": {"kind": "html"},
    **{f"{status}": {"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)},
    "a proxy's 403 in a session": {"kind": "status", "status": 403, "at": "statement"},
    **{
        f"the session over ({code})": {"kind": "session", "code": code}
        for code in range(390111, 390116)
    },
    "an internal error": {"kind": "error", "code": 603, "sqlstate": "XX000"},
    "a statement that was cancelled": {"kind": "error", "code": 604, "sqlstate": "57014"},
    "a statement that took too long": {"kind": "error", "code": 630, "sqlstate": "57014"},
    "a remote service error": {"kind": "error", "code": 100351, "sqlstate": "P0000"},
    "an error that nobody knows": {"kind": "error", "code": 999999, "sqlstate": "53000"},
    "a NULL": {"kind": "null"},
    "no row": {"kind": "no-row"},
    "two rows": {"kind": "two-rows"},
    "another job's answer": {"kind": "other-job"},
    "text that is not JSON": {"kind": "unreadable", "text": "<html>Service unavailable</html>"},
    "JSON that is no record": {"kind": "unreadable", "text": "[]"},
    "a record without a status": {"kind": "record", "remove": ["status"]},
}
"""What passes, or does not."""

REFUSALS: dict[str, Happening] = {
    "no such object": error(2003, "02000"),
    "no privilege": error(3001, "42501"),
    "an unknown function": error(2141, "42601"),
    "no warehouse": error(606, "57P03"),
    "an invalid value": error(1008, "22023"),
    "a role that was taken away": loses_its_role,
    "an account that does not exist": fault("status", status=404, at="login"),
    "a login that is refused": fault("login"),
    "a login that is refused twice": fault("login", requests=2),
    "a user who is locked out": fault("login", code=390102, message="User temporarily locked."),
    "a password that was changed": rotates_the_password,
    "a job that vanishes": in_turn(fault("record", requests=1), fault("vanish")),
}
"""What does not pass."""

ODDITIES: dict[str, Happening] = {
    "a status in lower case": fault("record", set={"status": "in_progress"}, requests=2),
    "an unknown status": fault("record", set={"status": "Paused"}, requests=2),
    "no progress": fault("record", remove=["progress"]),
    "negative progress": record(progress=-0.5),
    "progress that is no number": record(progress=float("nan")),
    "progress above 1": record(progress=17.0),
    "progress in words": record(progress="half"),
    "progress that goes backwards": in_turn(
        fault("record", set={"progress": 0.9}, requests=1),
        fault("record", set={"progress": 0.1}, requests=1),
    ),
    "a field that nobody knows": record(mood={"is": ["good"]}),
    "a success that is taken back": in_turn(succeeds("SUCCESS"), record(status="IN_PROGRESS")),
    "a statement slower than the interval": fault("slow", delay=0.05),
    "a login that is refused once": fault("login", requests=1),
    "sessions that are dropped": in_turn(fault("record", requests=1), fault("expire")),
    "a clock that is an hour ahead": fault("clock", jump=3600.0),
    "a clock that is a day late": fault("clock", jump=-86400.0),
}
"""What keeps nobody from the truth."""


@contextmanager
def in_a_sleep(emulator: Emulator) -> Iterator[None]:
    """Let the time be up as soon as the worker sleeps."""
    sleep = time.sleep

    def struck(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGALRM)  # what Airflow's own clock sends
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", struck)
        yield


@contextmanager
def in_a_statement(emulator: Emulator) -> Iterator[None]:
    """Let the time be up while the worker waits for the answer to a statement that hangs."""
    earlier = len(emulator.faults.struck)

    def strike() -> None:
        wait_until(lambda: [f for f in emulator.faults.struck[earlier:] if f.kind == "hang"])
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    thread = threading.Thread(target=strike)
    thread.start()
    yield
    thread.join()


def with_flags_in_one_mode(rows: dict[str, Row]) -> dict[str, Row]:
    """
    Return rows that end alike, each to be tried with the flags in one mode.

    Which one that is depends on the row's name alone: it is the same whatever other rows there are.
    """
    return {
        name: replace(row, flags_in=(MODES[zlib.crc32(name.encode()) % len(MODES)],))
        for name, row in rows.items()
    }


LOST = "Lost contact", "may still be running"
STOPPED = "Stopped waiting", "IN_PROGRESS 40 %", "may still be running"

TABLE = {
    "SUCCESS": Row(nothing, SUCCEEDS),
    **with_flags_in_one_mode({what: Row(happens, SUCCEEDS) for what, happens in ODDITIES.items()}),
    **with_flags_in_one_mode(
        {f"{what}, once": Row(fault(**how, requests=1), SUCCEEDS) for what, how in TROUBLE.items()}
    ),
    **with_flags_in_one_mode(
        {
            f"{what}, for longer than the budget": Row(
                fault(**how), MAY_BE_RETRIED, LOST, {"contact_timeout": 0.05}
            )
            for what, how in TROUBLE.items()
        }
    ),
    **with_flags_in_one_mode({what: Row(happens, FAILS) for what, happens in REFUSALS.items()}),
    "SUCCESS in lower case": Row(succeeds("success"), SUCCEEDS),
    "SUCCESS without a model": Row(
        fault("record", set={"status": "SUCCESS"}, remove=["model"]),
        MAY_BE_RETRIED,
        ("named no model", '"status": "SUCCESS"'),
    ),
    "SUCCESS with an empty model": Row(
        record(status="SUCCESS", model=" "), MAY_BE_RETRIED, ("named no model",)
    ),
    "ERROR": Row(fails, FAILS, ("INVALID_PARAMETER_VALUE: no rows in train",)),
    "ERROR that is taken back": Row(
        fault(
            "record", set={"status": "ERROR", "error": {"code": "X", "message": "y"}}, requests=1
        ),
        FAILS,
        ("X: y",),
    ),
    "CANCELLED": Row(is_cancelled, FAILS, ("was cancelled",)),
    "CANCELLED, with skip_on_cancelled": Row(
        is_cancelled, IS_SKIPPED, ("was cancelled",), {"skip_on_cancelled": True}
    ),
    "an unknown status that stays": Row(
        record(status="Paused"),
        FAILS,
        ("Stopped waiting", "Paused", "may still be running"),
        {"timeout": 0.2},
    ),
    "the sensor's timeout": Row(stalls, FAILS, STOPPED, {"timeout": 0.2}),
    "the sensor's timeout, amid trouble": Row(
        fault("null"), FAILS, ("Stopped waiting", "never seen"), {"timeout": 0.2}
    ),
    "execution_timeout, between two looks": Row(
        stalls,
        RUNS_INTO_EXECUTION_TIMEOUT,
        STOPPED,
        {"execution_timeout": timedelta(hours=1)},
        modes=("poke",),
        time_is_up=in_a_sleep,
    ),
    "execution_timeout, in the middle of a look": Row(
        # The first look is answered.
        in_turn(stalls, fault("slow", delay=0, requests=1), fault("hang", requests=1)),
        RUNS_INTO_EXECUTION_TIMEOUT,
        STOPPED,
        {"execution_timeout": timedelta(hours=1)},
        modes=("poke",),
        time_is_up=in_a_statement,
    ),
    "execution_timeout, while deferred": Row(
        stalls,
        RUNS_INTO_EXECUTION_TIMEOUT,
        STOPPED,
        {
            "execution_timeout": timedelta(hours=1),
            "timeout": timedelta(hours=2),
            "poke_interval": 300,
        },
        modes=("deferrable",),
    ),
    # Airflow means by it how long one look of a rescheduled sensor may take.
    "execution_timeout, of a rescheduled look": Row(
        fault("null"),
        RUNS_INTO_EXECUTION_TIMEOUT,
        ("Stopped waiting", "never seen", "may still be running"),
        {"execution_timeout": timedelta(hours=1)},
        modes=("reschedule",),
        time_is_up=in_a_sleep,
    ),
    "nobody there for longer than the budget": Row(
        is_gone,
        MAY_BE_RETRIED,
        (*LOST, "'snowflake_default'", "python -m airflow_provider_cortex.emulator"),
        {"contact_timeout": 0.05},
    ),
    "an unknown job": Row(
        nothing, FAILS, ("ft_unknown", "does not exist"), {"finetune_job_id": "ft_unknown"}
    ),
    "no such connection": Row(
        no_connection, MAY_BE_RETRIED, ("snowflake_conn_id", "'snowflake_default'")
    ),
    "no job's id": Row(nothing, FAILS, ("finetune_job_id",), {"finetune_job_id": "  "}),
}


@pytest.fixture(scope="module")
def account() -> Iterator[Emulator]:
    """Return one emulator for all rows: it would take longer to start than a wait takes."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def cortex_emulator(account: Emulator) -> Iterator[Emulator]:
    """Return the emulator as if it were fresh, but for the jobs of other rows."""
    yield account
    account.faults.clear()
    account.has_cortex_user_role = True
    account.password = None
    with contextlib.suppress(OSError):  # if it listens, as it does after all rows but one
        account.start()


@pytest.fixture
def emulator(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> Emulator:
    """Return the emulator that the connection leads to, with a driver and a wait that soon look again."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    # In whole seconds, says the driver, and takes less for none: it does not try again by itself.
    settings["extra"] |= {"login_timeout": 0.2, "network_timeout": 0.2, "socket_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    monkeypatch.setattr(poller, "FLOOR", 0.01)
    monkeypatch.setattr(shared_client, "GATHER", 0.001)
    return cortex_emulator


@pytest.mark.parametrize(
    ("name", "mode", "flag"),
    [
        (name, mode, flag)
        for name, row in TABLE.items()
        for mode in row.modes
        for flag in (FLAGS if mode in row.flags_in else ["plain"])
    ],
)
def test_a_wait_ends_the_same_in_every_mode(
    name: str,
    mode: str,
    flag: str,
    emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What happened to the job decides how the task ends; how it was waited for does not."""
    row = TABLE[name]
    if name.startswith("no answer"):  # every one of which takes as long
        monkeypatch.setattr(SnowflakeConnection, "socket_timeout", 0.5)
    # It is seen running twice; once will do to see a flag's work.
    life = Life.by_looks(2 if flag == "plain" else 1)
    job = emulator.jobs.add(model=f"DB.S.{name} {mode} {flag}", life=life)
    row.happens(emulator, job)

    with row.time_is_up(emulator):
        result = wait(worker, job.id, **{"mode": mode, **FLAGS[flag], **row.arguments})

    assert result.state == row.ends[flag], result
    if result.state == "success":
        assert result.xcoms["return_value"] == result.xcoms["model"] == job.model
        assert result.xcoms["finetune_job"]["id"] == job.id
    else:
        said = f"{result.error} {result.error.__cause__ if result.error else ''}"
        assert [piece for piece in row.says if piece not in said] == [], said
        named = row.arguments.get("finetune_job_id", job.id).strip()
        assert named in said or row.happens is no_connection, said
        assert "return_value" not in result.xcoms
        assert "model" not in result.xcoms
    assert reads_only(emulator)


def wait(worker: Worker, job_id: str, *, mode: str, **arguments: Any) -> Result:
    """Have a sensor wait for the job."""
    given = {"finetune_job_id": job_id, "poke_interval": 0.01, "timeout": 60, **arguments}
    return worker.run(lambda: CortexFineTuneSensor(task_id="wait", **given, **in_mode(mode)))


def reads_only(emulator: Emulator) -> bool:
    """Return whether nobody has started or cancelled a job."""
    return not [s for s in emulator.statements if "CREATE" in s.sql or "CANCEL" in s.sql]


def struck(kind: str, **parameters: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a fault of one or two requests."""
    return st.integers(1, 2).map(lambda n: {"kind": kind, "requests": n, **parameters})


def told(status: str, **fields: Any) -> dict[str, Any]:
    """Return the fault that has DESCRIBE tell this."""
    return {"kind": "record", "set": {"status": status, **fields}, "remove": []}


GOES_ON = st.one_of(
    *(
        st.just({**one, "requests": 1})
        for one in (
            told("PENDING", progress=0.0),
            told("IN_PROGRESS", progress=0.3),
            told("in_progress", progress=-7),
            told("Queued"),
            told("SUCCEEDED", model="another"),
            {"kind": "login"},
        )
    ),
    struck("null"),
    struck("other-job"),
    struck("no-row"),
    struck("two-rows"),
    struck("unreadable"),
    struck("session"),
    struck("reset"),
    struck("html", at="statement"),
    struck("status", status=503),
    struck("status", status=429, at="login"),
    struck("error", code=603, sqlstate="XX000"),
)
"""One thing that may happen before the end."""


def rejects_one_login_at_most(before: list[dict[str, Any]]) -> bool:
    """
    Return whether no two rejected logins can come in a row, which would be the end of the wait.

    It would be another end if the budget for transient errors ran out before the second one: a matter of chance.
    """
    logins = [one for one in before if one["kind"] == "login"]
    return len(logins) <= 1


BEFORE = st.lists(GOES_ON, max_size=5).filter(rejects_one_login_at_most)
"""What happens before the end. It ends nothing by itself, so that the end is always the same one."""

MODEL = "CORTEX_DB.PUBLIC.triage"
LOSES_CONTACT = {"kind": "status", "status": 503}
ENDS = st.sampled_from(
    [
        told("SUCCESS", model=MODEL),
        {**told("SUCCESS"), "remove": ["model"]},
        told("ERROR", error={"code": "X", "message": "no rows"}),
        told("CANCELLED"),
        {"kind": "vanish"},
        {"kind": "error", "code": 3001, "sqlstate": "42501"},
        LOSES_CONTACT,
    ]
)
"""The end, which stays."""

VARIES = {"id", "created_on", "finished_on"}


@given(
    before=BEFORE,
    end=ENDS,
    interval=st.sampled_from([0, 0.001, 0.02]),
    lives=st.lists(st.integers(0, 3), max_size=3),
    flag=st.sampled_from([*FLAGS]),
)
@settings(
    max_examples=15,
    deadline=None,
    # One emulator serves all examples: each has jobs of its own, and clears the faults of the last.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_it_ends_the_same_in_every_mode(
    before: list[dict[str, Any]],
    end: dict[str, Any],
    interval: float,
    lives: list[int],
    flag: str,
    emulator: Emulator,
    worker: Worker,
) -> None:
    """
    Any sequence of states, faults and restarts ends the same in every mode, with the same XComs.

    And truly: a task succeeds only after Cortex said SUCCESS; a trigger fires once, however often it is restarted
    (which tests.worker checks); no job is started or cancelled.
    """
    worker.lives = lives
    arguments: dict[str, Any] = {"poke_interval": interval, "timeout": 3600, **FLAGS[flag]}
    if end is LOSES_CONTACT:
        arguments["contact_timeout"] = 0.05
    ends = {}
    for mode in MODES:
        emulator.faults.clear()
        job = emulator.jobs.add(model=MODEL, life=Life.by_time(1e6))
        for one in (*before, end):
            emulator.faults.add(one["kind"], **{k: v for k, v in one.items() if k != "kind"})
        earlier = len(emulator.faults.struck)
        result = wait(worker, job.id, mode=mode, **arguments)
        ends[mode] = result.state, type(result.error), without_what_varies(result.xcoms)
        models = [
            f.parameters["set"].get("model")
            for f in emulator.faults.struck[earlier:]
            if f.kind == "record"
        ]
        assert (result.state == "success") <= (MODEL in models)
        assert reads_only(emulator)
    event(f"{end['kind']} {end.get('set', {}).get('status', '')}: {ends['poke'][0]}")
    assert ends["poke"] == ends["reschedule"] == ends["deferrable"]


def without_what_varies(xcoms: Mapping[str, Any]) -> dict[str, Any]:
    """Return XComs as they would be of another job."""
    record = xcoms.get("finetune_job", {})
    others = {key: value for key, value in xcoms.items() if key != "finetune_job_id"}
    return {**others, "finetune_job": {k: v for k, v in record.items() if k not in VARIES}}
