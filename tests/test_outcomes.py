"""
How a wait ends: one table, the same in every mode.

Each row of ``outcome_table.py`` is tried in poke, reschedule and deferrable mode, and with
Airflow's soft_fail and never_fail, over the real driver. A second test draws sequences of such
events at random.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection
from snowflake.connector.time_util import TimeoutBackoffCtx

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.waiting import poll_times
from tests.outcome_table import FLAGS, TABLE, connection_is_missing
from tests.worker import MODES, Result, Worker, in_mode


@pytest.fixture(scope="module")
def account() -> Iterator[Emulator]:
    """Return one emulator for all rows: starting one takes longer than a wait."""
    with Emulator(tls=False) as emulator:
        yield emulator


@pytest.fixture
def cortex_emulator(account: Emulator) -> Iterator[Emulator]:
    """Return the emulator, and undo what the test has changed in it; jobs stay."""
    yield account
    account.faults.clear()
    account.has_cortex_user_role = True
    account.password = None
    with contextlib.suppress(OSError):  # it listens already, unless the test stopped it
        account.start()


@pytest.fixture
def emulator(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> Emulator:
    """Return the emulator, with a driver that tries once and a wait that polls often."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    settings["extra"] |= {"socket_timeout": 60}  # on a busy machine, too, only a fault is one
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    monkeypatch.setattr(TimeoutBackoffCtx, "should_retry", False)
    monkeypatch.setattr(poll_times, "FLOOR", 0.01)
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
    """What happens to the job decides how the task ends; the mode of the wait does not."""
    row = TABLE[name]
    if name.startswith("no answer"):  # each of these polls takes this long
        monkeypatch.setattr(SnowflakeConnection, "socket_timeout", 0.3)
    # It is seen running; once is enough to see what a flag does.
    life = Life.by_looks(row.looks if flag == "plain" else 1)
    job = emulator.jobs.add(model=f"DB.S.{name} {mode} {flag}", life=life)
    row.happens(emulator, job)

    with row.alarm(emulator):
        result = wait(worker, job.id, **{"mode": mode, **FLAGS[flag], **row.arguments})

    assert result.state == getattr(row.verdict, flag), result
    if result.state == "success":
        assert result.xcoms["return_value"] == result.xcoms["model"] == job.model
        assert result.xcoms["finetune_job"]["id"] == job.id
    else:
        message = f"{result.error} {result.error.__cause__ if result.error else ''}"
        assert [piece for piece in row.message if piece not in message] == [], message
        job_id = row.arguments.get("finetune_job_id", job.id).strip()
        assert job_id in message or row.happens is connection_is_missing, message
        assert "return_value" not in result.xcoms
        assert "model" not in result.xcoms
    assert only_read(emulator)


def wait(worker: Worker, job_id: str, *, mode: str, **arguments: Any) -> Result:
    """Have a sensor wait for the job."""
    given = {"finetune_job_id": job_id, "poke_interval": 0.01, "timeout": 60, **arguments}
    return worker.run(lambda: CortexFineTuneSensor(task_id="wait", **given, **in_mode(mode)))


def only_read(emulator: Emulator) -> bool:
    """Return whether no statement has started or cancelled a job."""
    return not [s for s in emulator.statements if "CREATE" in s.sql or "CANCEL" in s.sql]


def once_or_twice(kind: str, **parameters: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a fault of one or two requests."""
    return st.integers(1, 2).map(lambda n: {"kind": kind, "requests": n, **parameters})


def reported(status: str, **fields: Any) -> dict[str, Any]:
    """Return the fault that makes DESCRIBE report these fields."""
    return {"kind": "record", "set": {"status": status, **fields}, "remove": []}


PASSES = st.one_of(
    *(
        st.just({**one, "requests": 1})
        for one in (
            reported("PENDING", progress=0.0),
            reported("IN_PROGRESS", progress=0.3),
            reported("in_progress", progress=-7),
            reported("Queued"),
            reported("SUCCEEDED", model="another"),
        )
    ),
    once_or_twice("null"),
    once_or_twice("other-job"),
    once_or_twice("no-row"),
    once_or_twice("two-rows"),
    once_or_twice("unreadable"),
    once_or_twice("session"),
    once_or_twice("reset"),
    once_or_twice("html", at="statement"),
    once_or_twice("status", status=503),
    once_or_twice("status", status=429, at="login"),
    once_or_twice("error", code=603, sqlstate="XX000"),
)
"""One event that does not end the wait."""

REJECTED_LOGIN = {"kind": "login", "requests": 1}


@st.composite
def events_before_the_end(draw: st.DrawFn) -> list[dict[str, Any]]:
    """
    Draw events that do not end the wait, so that its end is always the one that follows.

    At most one login is rejected: two in a row end the wait.
    """
    events = draw(st.lists(PASSES, max_size=5))
    if draw(st.booleans()):
        events.insert(draw(st.integers(0, len(events))), REJECTED_LOGIN)
    return events


MODEL = "CORTEX_DB.PUBLIC.triage"
LOSES_CONTACT = {"kind": "status", "status": 503}
ENDS = st.sampled_from(
    [
        reported("SUCCESS", model=MODEL),
        {**reported("SUCCESS"), "remove": ["model"]},
        reported("ERROR", error={"code": "X", "message": "no rows"}),
        reported("CANCELLED"),
        {"kind": "vanish"},
        {"kind": "error", "code": 3001, "sqlstate": "42501"},
        LOSES_CONTACT,
    ]
)
"""The last event, which stays."""

VARIES = {"id", "created_on", "finished_on"}
"""Fields of a job's record that differ from job to job."""


@pytest.fixture
def short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the sleeps of tasks on the worker."""
    sleep = time.sleep

    def sleep_less(seconds: float) -> None:
        on_worker = threading.current_thread() is threading.main_thread()
        sleep(min(seconds, 0.01) if on_worker else seconds)

    monkeypatch.setattr(time, "sleep", sleep_less)


@given(
    before=events_before_the_end(),
    end=ENDS,
    interval=st.sampled_from([0, 0.001, 0.02]),
    lives=st.lists(st.integers(0, 3), max_size=3),
    flag=st.sampled_from([*FLAGS]),
)
@settings(
    max_examples=15,
    # One emulator serves all examples: each has a job of its own, and clears the faults before it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_sequence_of_events_ends_the_same_in_every_mode(
    before: list[dict[str, Any]],
    end: dict[str, Any],
    interval: float,
    lives: list[int],
    flag: str,
    emulator: Emulator,
    worker: Worker,
    short_sleeps: None,
) -> None:
    """
    Any sequence of states, faults and restarts ends the same in every mode, with the same XComs.

    A task succeeds only after Cortex has reported SUCCESS. A trigger fires once, however often its
    triggerer restarts (tests.worker checks it). No job is started or cancelled.
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
        assert only_read(emulator)
    event(f"{end['kind']} {end.get('set', {}).get('status', '')}: {ends['poke'][0]}")
    assert ends["poke"] == ends["reschedule"] == ends["deferrable"]


def without_what_varies(xcoms: Mapping[str, Any]) -> dict[str, Any]:
    """Return XComs as they would be of another job."""
    record = xcoms.get("finetune_job", {})
    others = {key: value for key, value in xcoms.items() if key != "finetune_job_id"}
    return {**others, "finetune_job": {k: v for k, v in record.items() if k not in VARIES}}
