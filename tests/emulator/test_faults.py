"""Which requests a fault strikes, and how wrong arguments are rejected."""

import json
import math
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.fault_kinds import FAULT_KINDS
from tests.clock import Clock
from tests.emulator.client import kinds, post, show

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "emulator-faults.md"


@pytest.mark.parametrize(
    ("share", "struck"),
    [
        (0, "--------"),
        (0.25, "---x---x"),
        (1 / 3, "--x--x--"),
        (0.5, "-x-x-x-x"),
        (0.75, "-xxx-xxx"),
        (1, "xxxxxxxx"),
    ],
)
def test_a_share_is_spread_evenly(cortex_emulator, cell, share, struck):
    """The same requests are struck every time, so a test can rely on it."""
    job = cortex_emulator.jobs.add(model="D.S.m")
    describe = f"SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
    cortex_emulator.faults.add("null", share=share)
    assert "".join("-" if cell(describe) else "x" for _ in range(8)) == struck


def test_a_fault_ends_at_its_first_limit(connect):
    """Then it is no longer active."""
    clock = Clock()
    with Emulator(tls=False, clock=clock.time) as emulator:
        session = connect(emulator)
        for _ in range(2):
            emulator.faults.add("error", requests=2, share=0.5, seconds=60)
            assert kinds(emulator.faults) == ["error"]
            for is_struck in False, True, False:
                if is_struck:
                    with pytest.raises(ProgrammingError):
                        show(session)
                else:
                    show(session)
            clock.now += 60
            assert not kinds(emulator.faults)
            show(session)
        assert kinds(emulator.faults.struck) == ["error"] * 2


def test_only_the_first_fault_that_applies_strikes(cortex_emulator, connect):
    """In the order in which they were added."""
    session = connect()
    cortex_emulator.faults.add("login")
    cortex_emulator.faults.add("error", message="First.", requests=1)
    cortex_emulator.faults.add("error", message="Second.")
    for message in "First", "Second", "Second":
        with pytest.raises(ProgrammingError, match=message):
            show(session)
    assert kinds(cortex_emulator.faults) == ["login", "error"]


def test_a_fault_does_not_change_after_it_was_added(cortex_emulator):
    """Even if the caller's dictionary does."""
    changes = {"status": "PAUSED"}
    fault = cortex_emulator.faults.add("record", set=changes)
    changes["status"] = "changed"
    assert fault.parameters["set"] == {"status": "PAUSED"}
    assert list(cortex_emulator.faults) == [fault]


WRONG = [
    ({"kind": "quake"}, "kind must be one of refuse, hang, .*; got 'quake'"),
    ({"kind": None}, "kind must be one of .*; got None"),
    (
        {"kind": "status", "at": "describe"},
        "at must be any or login or statement or query or logout for status; got 'describe'",
    ),
    ({"kind": "login", "at": "statement"}, "at must be login for login; got 'statement'"),
    ({"kind": "clock", "at": "login"}, "at must be omitted for clock; got 'login'"),
    ({"kind": "status", "code": 503}, "status has no parameter code; its parameters: status"),
    ({"kind": "refuse", "delay": 1}, "refuse has no parameter delay; its parameters: none"),
    (
        {"kind": "status", "status": "503"},
        "status must be an HTTP status from 200 to 599; got '503'",
    ),
    ({"kind": "status", "status": 99}, "status must be an HTTP status from 200 to 599; got 99"),
    ({"kind": "slow", "delay": -1}, "delay must be a number of at least 0; got -1"),
    ({"kind": "slow", "delay": math.nan}, "delay must be a number of at least 0; got nan"),
    ({"kind": "error", "code": 1_000_000}, "code must be an integer of up to six digits"),
    ({"kind": "unreadable", "text": None}, "text must be a text; got None"),
    ({"kind": "record", "set": ["status"]}, "set must be an object that JSON can represent"),
    ({"kind": "record", "remove": "status"}, "remove must be a list of names; got 'status'"),
    ({"kind": "clock", "jump": True}, "jump must be a number; got True"),
    ({"kind": "clock", "requests": 1}, "clock does not accept requests"),
    ({"kind": "expire", "seconds": 1}, "expire does not accept seconds"),
    ({"kind": "status", "job_id": "ft_0"}, "status at any does not accept job_id"),
    (
        {"kind": "error", "at": "statement", "job_id": "x"},
        "error at statement does not accept job_id",
    ),
    ({"kind": "refuse", "requests": 0}, "requests must be an integer of at least 1; got 0"),
    ({"kind": "refuse", "requests": 1.5}, "requests must be an integer of at least 1; got 1.5"),
    ({"kind": "refuse", "seconds": 0}, "seconds must be a number above 0; got 0"),
    ({"kind": "refuse", "share": 1.1}, "share must be a number from 0 to 1; got 1.1"),
    ({"kind": "refuse", "share": -0.1}, "share must be a number from 0 to 1; got -0.1"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_wrong_arguments_are_named_in_the_error(cortex_emulator, wrong, message):
    """In Python and over HTTP. No fault is added."""
    with pytest.raises(ValueError, match=message):
        cortex_emulator.faults.add(wrong["kind"], **{k: v for k, v in wrong.items() if k != "kind"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(cortex_emulator, "/emulator/faults", wrong)
    assert caught.value.code == 400
    assert re.search(message, json.load(caught.value)["error"])
    assert not list(cortex_emulator.faults)


def test_a_value_that_json_cannot_represent_is_rejected(cortex_emulator):
    """Otherwise the error would come only when a job is described."""
    with pytest.raises(ValueError, match="set must be an object that JSON can represent"):
        cortex_emulator.faults.add("record", set={"status": object()})


def test_the_page_of_faults_lists_every_kind():
    """With its parameters, its meaning, and the points at which it may strike."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for name, kind in FAULT_KINDS.items():
        parameters = ", ".join(f"`{parameter}`" for parameter in kind.parameters)
        points = f" At {', '.join(kind.at)}." if kind.at else ""
        heading = f"`{name}` ({parameters})" if parameters else f"`{name}`"
        assert f"- {heading}: {kind.meaning}.{points}" in page
