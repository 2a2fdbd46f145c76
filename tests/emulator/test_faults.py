"""Faults: what the driver's user sees of each kind, when they strike, and how they are given."""

import http.client
import json
import math
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from snowflake.connector.errors import (
    DatabaseError,
    Error,
    OperationalError,
    ProgrammingError,
)
from snowflake.connector.vendored.requests.exceptions import ChunkedEncodingError

from airflow_provider_cortex import emulator as package
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.faults import KINDS
from tests.clock import Clock, wait_until

SHOW = "SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')"


def show(session):
    return session.cursor().execute(SHOW).fetchall()


def kinds(faults):
    return [fault.kind for fault in faults]


@pytest.mark.parametrize(
    ("kind", "parameters", "runs"),
    [
        ("refuse", {}, 1),
        ("cut", {}, 2),
        ("html", {}, 1),
        ("status", {"status": 429}, 1),
        ("status", {"status": 500}, 1),
    ],
)
def test_the_driver_gets_over_a_broken_answer(
    cortex_emulator, connect, capfd, caplog, kind, parameters, runs
):
    """It asks again by itself. Of a lost answer the statement has been run, so it runs twice."""
    session = connect()
    cortex_emulator.faults.add(kind, requests=1, **parameters)
    assert show(session) == [("[]",)]
    assert kinds(cortex_emulator.faults.struck) == [kind]
    assert len(cortex_emulator.statements) == runs
    assert not capfd.readouterr().err
    assert "uvicorn" not in {record.name.partition(".")[0] for record in caplog.records}


@pytest.mark.parametrize("kind", ["refuse", "cut", "html", "status"])
def test_the_driver_gives_up_in_the_end(cortex_emulator, connect, kind):
    """A fault without a limit lasts until it is cleared; sessions outlive it."""
    session = connect(network_timeout=1)
    cortex_emulator.faults.add(kind)
    with pytest.raises(Error):
        show(session)
    cortex_emulator.faults.clear()
    assert show(session) == [("[]",)]


def test_the_driver_does_not_get_over_a_reset(cortex_emulator, connect):
    """Of an answer that breaks off it lets the HTTP library's own error out, at once."""
    session = connect()
    cortex_emulator.faults.add("reset", requests=1)
    with pytest.raises(ChunkedEncodingError, match="IncompleteRead"):
        show(session)
    assert len(cortex_emulator.statements) == 1
    assert show(session) == [("[]",)]


@pytest.mark.parametrize("kind", ["refuse", "cut", "html", "status"])
def test_logins_break_too(cortex_emulator, connect, kind):
    """The driver tries a login again, too."""
    cortex_emulator.faults.add(kind, at="login", requests=1)
    assert show(connect()) == [("[]",)]
    assert kinds(cortex_emulator.faults.struck) == [kind]


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_connection_ends_as_told(tmp_path, capfd, caplog, is_safe):
    """Refused: not a byte of an answer. Reset: less of it than was promised. Over TLS as well."""
    with Emulator(tls=tmp_path if is_safe else None) as emulator:
        context = None
        if emulator.certificates:
            context = ssl.create_default_context(cafile=emulator.certificates.authorities)

        def ask():
            url = f"{emulator.protocol}://{emulator.host}:{emulator.port}/queries/v1/query-request"
            with urllib.request.urlopen(url, data=b"{}", timeout=9, context=context) as response:
                return response.read()

        emulator.faults.add("refuse", requests=1)
        emulator.faults.add("reset", requests=1)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask()
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask()
        assert caught.value.partial.startswith(b'{"data":')
        assert json.loads(ask())["code"] == "390112"
    assert not capfd.readouterr().err
    assert "uvicorn" not in {record.name.partition(".")[0] for record in caplog.records}


def test_what_hangs_is_served_when_cleared(cortex_emulator, connect):
    """One client waits, and gets its answer in the end; the next one is not struck."""
    session, other = connect(), connect()
    cortex_emulator.faults.add("hang", requests=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(show, session)
        wait_until(lambda: cortex_emulator.faults.struck)
        assert show(other) == [("[]",)]
        assert not hanging.done()
        cortex_emulator.faults.clear()
        assert hanging.result() == [("[]",)]


def test_what_hangs_is_served_when_the_time_is_up(connect):
    """Time is the emulator's."""
    clock = Clock()
    with Emulator(clock=clock.time) as emulator, ThreadPoolExecutor(1) as pool:
        session = connect(emulator)
        emulator.faults.add("hang", seconds=60)
        hanging = pool.submit(show, session)
        wait_until(lambda: emulator.faults.struck)
        clock.now += 61
        assert hanging.result() == [("[]",)]


def test_a_hang_ends_by_itself():
    """When the time is up the request that hangs is answered: its client need not send another one."""
    clock = Clock()
    with Emulator(clock=clock.time) as emulator, ThreadPoolExecutor(1) as pool:
        emulator.faults.add("hang", seconds=60)
        hanging = pool.submit(ask, emulator, "POST", {}, "/queries/v1/query-request")
        wait_until(lambda: emulator.faults.struck)
        clock.now += 61
        assert hanging.result()["code"] == "390112"
        assert kinds(emulator.faults.struck) == ["hang"]


def test_a_hang_ends_with_the_client_or_the_emulator(cortex_emulator, connect, capfd):
    """A statement that nobody waits for is not run, and nothing keeps the emulator from stopping."""
    impatient, patient = connect(socket_timeout=1, network_timeout=1), connect()
    cortex_emulator.faults.add("hang")
    with pytest.raises(OperationalError):
        show(impatient)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(show, patient)
        wait_until(lambda: len(cortex_emulator.faults.struck) > 1)
        cortex_emulator.stop()
        cortex_emulator.faults.clear()
        cortex_emulator.start()
        assert hanging.result() == [("[]",)]
    assert len(cortex_emulator.statements) == 1
    assert not capfd.readouterr().err


def test_what_is_slow_is_served_to_nobody(cortex_emulator, connect):
    """Unlike one that hangs, a slow statement has arrived: it is run though its client has gone."""
    session = connect(socket_timeout=1, network_timeout=1)
    cortex_emulator.faults.add("slow", delay=1.5, requests=1)
    with pytest.raises(OperationalError):
        show(session)
    assert not cortex_emulator.statements
    wait_until(lambda: cortex_emulator.statements)


@pytest.mark.parametrize(
    ("code", "errno"),
    [
        pytest.param(390111, 390111, id="gone"),
        pytest.param(390112, 390114, id="expired: the driver fails to renew it"),
        pytest.param(390113, 390113, id="no master token"),
        pytest.param(390114, 390114, id="master token expired"),
        pytest.param(390115, 390115, id="master token invalid"),
    ],
)
def test_a_session_can_end(cortex_emulator, connect, code, errno):
    """Only the one that is struck: it is gone for good, others go on and new logins work."""
    session, other = connect(), connect()
    cortex_emulator.faults.add("session", code=code, requests=1)
    with pytest.raises(DatabaseError) as caught:
        show(session)
    assert caught.value.errno == errno
    assert cortex_emulator.open_sessions == 1
    with pytest.raises(ProgrammingError) as caught:
        show(session)
    assert caught.value.errno == 390114
    assert show(other) == show(connect()) == [("[]",)]


def test_all_sessions_can_end_at_once(cortex_emulator, connect):
    """That is over as soon as it is said, so sessions opened later are none of its business."""
    sessions = [connect(), connect()]
    cortex_emulator.faults.add("expire")
    assert cortex_emulator.open_sessions == 0
    assert not list(cortex_emulator.faults)
    for session in sessions:
        with pytest.raises(ProgrammingError):
            show(session)
    assert show(connect()) == [("[]",)]


@pytest.mark.parametrize(
    ("parameters", "errno", "words"),
    [
        ({}, 390100, "Incorrect username or password was specified"),
        ({"code": 390144, "message": "JWT token is invalid."}, 390144, "JWT token is invalid"),
    ],
)
def test_logins_are_refused(cortex_emulator, connect, parameters, errno, words):
    """So many times; sessions that are open go on."""
    session = connect()
    cortex_emulator.faults.add("login", requests=2, **parameters)
    for _ in range(2):
        with pytest.raises(DatabaseError, match=words) as caught:
            connect()
        assert caught.value.errno == errno
    assert show(session) == show(connect()) == [("[]",)]


def test_statements_fail(cortex_emulator, connect):
    """With number, state and words; such a statement has arrived, but changes nothing."""
    session = connect()
    cortex_emulator.faults.add("error", requests=1)
    with pytest.raises(ProgrammingError, match="incident 4711") as caught:
        show(session)
    assert (caught.value.errno, caught.value.sqlstate) == (603, "XX000")
    cortex_emulator.faults.add("error", code=630, sqlstate="57014", message="Timeout.", requests=1)
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute("CREATE TABLE t (n INTEGER)")
    said = caught.value
    assert (said.errno, said.sqlstate, said.raw_msg) == (630, "57014", "Timeout.")
    assert len(cortex_emulator.statements) == 2
    session.cursor().execute("CREATE TABLE t (n INTEGER)")


@pytest.mark.parametrize(("kind", "times"), [("no-row", 0), ("two-rows", 2)])
def test_rows_are_lost_and_doubled(cortex_emulator, connect, kind, times):
    """Of whatever the statement answers; one that fails still fails."""
    cursor = connect().cursor()
    cortex_emulator.faults.add(kind)
    rows = cursor.execute("SELECT 1 AS n, 'x' AS t, NULL AS nothing").fetchall()
    assert rows == [(1, "x", None)] * times
    assert cursor.rowcount == times
    with pytest.raises(ProgrammingError, match="does not exist"):
        cursor.execute("SELECT * FROM nowhere")


@pytest.fixture
def jobs(cortex_emulator):
    """Have three jobs that are over."""
    return [cortex_emulator.jobs.add(model=f"D.S.m{n}") for n in range(3)]


@pytest.fixture
def job_id(jobs):
    """Return the id of the second."""
    return jobs[1].id


@pytest.fixture
def looks(connect, jobs):
    """Describe all three in one statement, and return what it says of the second."""
    calls = [f"SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')" for job in jobs]
    session = connect()

    def looks():
        ((first, second, third),) = session.cursor().execute(f"SELECT {', '.join(calls)}")
        assert json.loads(first)["id"] == jobs[0].id
        assert json.loads(third)["id"] == jobs[2].id
        return second

    return looks


def test_a_cell_is_null(cortex_emulator, looks, job_id):
    """One DESCRIBE of a statement is NULL; the others are as ever."""
    cortex_emulator.faults.add("null", job_id=job_id, requests=1)
    assert looks() is None
    assert json.loads(looks())["status"] == "SUCCESS"


def test_a_cell_is_about_another_job(cortex_emulator, looks, job_id):
    """The answer is whole, but for the id."""
    whole = json.loads(looks())
    cortex_emulator.faults.add("other-job", job_id=job_id, id="ft_x")
    assert json.loads(looks()) == whole | {"id": "ft_x"}


def test_a_cell_is_unreadable(cortex_emulator, looks, job_id):
    """By default it is not JSON; any text will do."""
    cortex_emulator.faults.add("unreadable", job_id=job_id, requests=1)
    cortex_emulator.faults.add("unreadable", job_id=job_id, text='["a list"]')
    assert looks() == "Not JSON."
    assert looks() == '["a list"]'


def test_a_record_is_changed(cortex_emulator, looks, job_id):
    """A job that is over may seem to run again, and its progress may be no number or go backwards."""
    add = cortex_emulator.faults.add
    add("record", job_id=job_id, set={"status": "in_progress", "progress": 0.7}, requests=1)
    add("record", job_id=job_id, set={"progress": math.nan}, remove=["model"], requests=1)
    add("record", job_id=job_id, set={"progress": -0.2}, requests=1)
    seen = json.loads(looks())
    assert (seen["status"], seen["progress"]) == ("in_progress", 0.7)
    without_number = looks()
    assert '"progress": NaN' in without_number
    assert "model" not in json.loads(without_number)
    assert json.loads(looks())["progress"] == -0.2
    assert json.loads(looks())["progress"] == 1


def test_what_is_no_record_stays_as_it_is(cortex_emulator, looks, job_id):
    """A job that was told what to answer has no record to change."""
    cortex_emulator.jobs.answer(job_id, "as told")
    cortex_emulator.faults.add("record", job_id=job_id, set={"progress": 2})
    assert looks() == "as told"


def test_a_job_vanishes(cortex_emulator, looks, job_id):
    """Its statement ends like that of a job that never was."""
    cortex_emulator.faults.add("vanish", job_id=job_id, requests=1)
    with pytest.raises(ProgrammingError, match=f"{job_id}' does not exist") as caught:
        looks()
    assert caught.value.errno == 2003
    assert json.loads(looks())["id"] == job_id


def test_a_job_poisons_its_statements(cortex_emulator, looks, job_id):
    """An error about one job is one of every statement that describes it, and of no other."""
    cortex_emulator.faults.add("error", job_id=job_id, message="Poison.", requests=1)
    cortex_emulator.faults.add("error", job_id="ft_else")
    with pytest.raises(ProgrammingError, match="Poison"):
        looks()
    assert looks()


def test_the_clock_jumps(connect):
    """The account's clock is off while the fault is there, and right again afterwards."""
    clock = Clock(1_000_000)
    with Emulator(clock=clock.time, life=Life.by_time(60)) as emulator:
        emulator.faults.add("clock", jump=-7200, seconds=10)
        early = emulator.jobs.add(model="D.S.early")
        clock.now += 10
        late = emulator.jobs.add(model="D.S.late")
        assert (early.created_on, late.created_on) == (992_800_000, 1_000_010_000)
        assert [state.status for _, state in emulator.jobs.all()] == ["SUCCESS", "PENDING"]
        emulator.faults.add("clock")
        assert [state.status for _, state in emulator.jobs.all()] == ["SUCCESS", "SUCCESS"]


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
    """The same requests every time, so that a test can count on it."""
    job = cortex_emulator.jobs.add(model="D.S.m")
    describe = f"SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
    cortex_emulator.faults.add("null", share=share)
    assert "".join("-" if cell(describe) else "x" for _ in range(8)) == struck


def test_limits_add_up(connect):
    """The first of requests and seconds ends it, and so it is active no longer."""
    clock = Clock()
    with Emulator(clock=clock.time) as emulator:
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


def test_the_first_that_applies_strikes(cortex_emulator, connect):
    """Alone, in the order in which they were added."""
    session = connect()
    cortex_emulator.faults.add("login")
    cortex_emulator.faults.add("error", message="First.", requests=1)
    cortex_emulator.faults.add("error", message="Second.")
    for words in "First", "Second", "Second":
        with pytest.raises(ProgrammingError, match=words):
            show(session)
    assert kinds(cortex_emulator.faults) == ["login", "error"]


def ask(emulator, method="GET", body=None, path="/emulator/faults"):
    request = urllib.request.Request(
        f"http://{emulator.host}:{emulator.port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=9) as response:
        return json.load(response)


def test_faults_can_be_steered_by_curl(cortex_emulator, connect):
    """The same as in Python: added, shown, counted and cleared."""
    session = connect()
    told = ask(cortex_emulator)
    assert (told["active"], told["struck"]) == ([], {})
    assert set(told["kinds"]) == set(KINDS)
    assert told["kinds"]["slow"]["parameters"] == {"delay": 1}
    fault = {"kind": "record", "set": {"progress": math.nan}, "share": 0.5}
    told = ask(cortex_emulator, "POST", {"kind": "error", "message": "By hand.", "requests": 1})
    (active,) = told["active"]
    assert (active["kind"], active["at"], active["requests"]) == ("error", "statement", 1)
    assert active["parameters"]["message"] == "By hand."
    with pytest.raises(ProgrammingError, match=r"By hand\."):
        show(session)
    told = ask(cortex_emulator, "POST", fault)
    assert [shown["kind"] for shown in told["active"]] == ["record"]
    assert told["struck"] == {"error": 1}
    assert not ask(cortex_emulator, "DELETE")["active"]


def test_what_is_not_snowflakes_is_never_struck(cortex_emulator):
    """Else a fault could not be cleared, and the driver's thread that aborts would die loudly."""
    cortex_emulator.faults.add("refuse")
    cortex_emulator.faults.add("status", at="any")
    assert ask(cortex_emulator)["active"]
    assert ask(cortex_emulator, "POST", {}, "/queries/v1/abort-request")["success"]
    assert not cortex_emulator.faults.struck


WRONG = [
    ({"kind": "quake"}, "kind: 'quake' is none of refuse, hang"),
    ({"kind": None}, "kind: None is none of"),
    (
        {"kind": "status", "at": "describe"},
        "at: status knows any and login and statement and query and logout",
    ),
    ({"kind": "login", "at": "statement"}, "at: login knows login, not 'statement'"),
    ({"kind": "clock", "at": "login"}, "at: clock knows none"),
    ({"kind": "status", "code": 503}, "code: status has no such parameter; it has status"),
    ({"kind": "refuse", "delay": 1}, "delay: refuse has no such parameter; it has none"),
    ({"kind": "status", "status": "503"}, "status: is to be an HTTP status"),
    ({"kind": "status", "status": 99}, "status: is to be an HTTP status"),
    ({"kind": "slow", "delay": -1}, "delay: is to be a number from 0"),
    ({"kind": "slow", "delay": math.nan}, "delay: is to be a number from 0"),
    ({"kind": "error", "code": 1_000_000}, "code: is to be a number of up to six digits"),
    ({"kind": "unreadable", "text": None}, "text: is to be a text"),
    ({"kind": "record", "set": ["status"]}, "set: is to be an object"),
    ({"kind": "record", "remove": "status"}, "remove: is to be a list of names"),
    ({"kind": "clock", "jump": True}, "jump: is to be a number"),
    ({"kind": "clock", "requests": 1}, "requests: clock is not limited by it"),
    ({"kind": "expire", "seconds": 1}, "seconds: expire is not limited by it"),
    ({"kind": "status", "job_id": "ft_0"}, "job_id: status at any is not limited by it"),
    ({"kind": "error", "at": "statement", "job_id": "ft_0"}, "job_id: error at statement"),
    ({"kind": "refuse", "requests": 0}, "requests: is to be a whole number above 0"),
    ({"kind": "refuse", "requests": 1.5}, "requests: is to be a whole number above 0"),
    ({"kind": "refuse", "seconds": 0}, "seconds: is to be a number above 0"),
    ({"kind": "refuse", "share": 1.1}, "share: is to be a number from 0 to 1"),
    ({"kind": "refuse", "share": -0.1}, "share: is to be a number from 0 to 1"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_what_is_wrong_is_named(cortex_emulator, wrong, words):
    """In Python and over HTTP; nothing is added."""
    with pytest.raises(ValueError, match=words):
        cortex_emulator.faults.add(wrong["kind"], **{k: v for k, v in wrong.items() if k != "kind"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(cortex_emulator, "POST", wrong)
    assert caught.value.code == 400
    assert words in json.load(caught.value)["error"]
    assert not list(cortex_emulator.faults)


@pytest.mark.parametrize("body", [[1], "fault", 7, {}])
def test_a_body_that_is_no_fault_is_refused(cortex_emulator, body):
    """Whatever it is."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(cortex_emulator, "POST", body)
    assert caught.value.code == 400
    assert json.load(caught.value)["error"]


def test_what_json_cannot_tell_is_refused(cortex_emulator):
    """It would be found out only when a job is described."""
    with pytest.raises(ValueError, match="set: is to be an object that JSON can tell"):
        cortex_emulator.faults.add("record", set={"status": object()})


def test_a_fault_is_what_it_was_when_it_was_added(cortex_emulator):
    """Whatever becomes of the caller's dictionary."""
    changes = {"status": "PAUSED"}
    fault = cortex_emulator.faults.add("record", set=changes)
    changes["status"] = "changed"
    assert fault.parameters["set"] == {"status": "PAUSED"}
    assert list(cortex_emulator.faults) == [fault]


def test_the_readme_lists_every_kind():
    """With its parameters, where it may strike, and its meaning."""
    readme = (Path(package.__file__).parent / "README.md").read_text()
    for name, kind in KINDS.items():
        parameters = ", ".join(f"`{parameter}`" for parameter in kind.parameters)
        row = f"| `{name}` | {parameters} | {', '.join(kind.at)} | {kind.meaning} |"
        assert row in readme
