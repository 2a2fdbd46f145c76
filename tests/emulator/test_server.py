"""The emulator as a server: sessions, refusals, restarts, many clients, nothing left behind."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowflake.connector
from snowflake.connector.errors import (
    DatabaseError,
    Error,
    ForbiddenError,
    OperationalError,
    ProgrammingError,
)

from airflow_provider_cortex.emulator import Emulator, Life
from tests.clock import wait_until

SHOW = "SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')"


def test_statements_are_recorded_with_session_and_query_tag(cortex_emulator, connect):
    """Tests can see what was sent, by whom, and under which tag."""
    tagged = connect(session_parameters={"QUERY_TAG": "login"})
    plain = connect()
    tagged.cursor().execute(SHOW)
    plain.cursor().execute("SELECT %s", (1,))
    tagged.cursor().execute("ALTER SESSION SET QUERY_TAG = 'altered'")
    tagged.cursor().execute(SHOW)
    tagged.cursor().execute(SHOW, _statement_params={"QUERY_TAG": "statement"})
    assert [(s.session, s.query_tag, s.sql) for s in cortex_emulator.statements] == [
        (1, "login", SHOW),
        (2, None, "SELECT 1"),
        (1, "login", "ALTER SESSION SET QUERY_TAG = 'altered'"),
        (1, "altered", SHOW),
        (1, "statement", SHOW),
    ]
    assert cortex_emulator.logins == 2


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        pytest.param("SELEC 1", 1003, id="syntax"),
        pytest.param("SELECT 'open", 1003, id="open quote"),
        pytest.param("SELECT * FROM nowhere", 2003, id="table"),
        pytest.param("SELECT nothing(1)", 2003, id="function"),
        pytest.param("SELECT SNOWFLAKE.CORTEX.NOTHING(1)", 2141, id="Cortex function"),
        pytest.param("SELECT 'x'::INTEGER", 100035, id="conversion"),
        pytest.param("SELECT $1", 100035, id="what fakesnow does not map"),
        pytest.param("SELECT * FROM VALUES ([{'a': 1}]) AS t(x), t", None, id="anything"),
    ],
)
def test_mistakes_in_sql_are_sql_errors(cortex_emulator, connect, sql, errno):
    """None becomes HTTP 500, which the driver would try again for minutes."""
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute(sql)
    assert errno in {None, caught.value.errno}
    assert len(cortex_emulator.statements) == 1


def test_messages_come_without_the_number(connect):
    """Number and state travel in fields of their own, and the driver puts them in front."""
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute("SELECT * FROM nowhere")
    assert caught.value.raw_msg == "Catalog Error: Table with name NOWHERE does not exist!"
    assert caught.value.sfqid


def test_requests_can_be_refused(cortex_emulator, connect):
    """The next so many get an HTTP status; the driver tries again by itself."""
    session = connect()
    cortex_emulator.faults.add("status", status=503, requests=1)
    assert session.cursor().execute(SHOW).fetchall() == [("[]",)]


def test_everything_can_be_refused_until_accepted(cortex_emulator, connect):
    """A service that is down stays down, but keeps its sessions."""
    session = connect(network_timeout=1, login_timeout=1)
    cortex_emulator.faults.add("status", status=503)
    with pytest.raises(Error):
        session.cursor().execute(SHOW)
    cortex_emulator.faults.clear()
    assert session.cursor().execute(SHOW).fetchall() == [("[]",)]


def show(session):
    return session.cursor().execute(SHOW).fetchall()


def test_clients_wait_at_the_same_time(cortex_emulator, connect):
    """A delay is a network's: what one client waits for keeps no other from its answer."""
    cortex_emulator.login_delay = cortex_emulator.statement_delay = 0.3
    began = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        shown = pool.map(lambda _: show(connect()), range(12))
    assert list(shown) == [[("[]",)]] * 12
    assert 0.6 < time.monotonic() - began < 12 * 0.6


def test_what_hangs_keeps_nobody(cortex_emulator, connect, capfd):
    """One client may wait for an hour: others are served, and the emulator stops at once."""
    session, other = connect(), connect()
    cortex_emulator.statement_delay = 3600
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(show, session)
        wait_until(lambda: cortex_emulator.statements)
        cortex_emulator.statement_delay = 0
        assert show(other) == [("[]",)]
        began = time.monotonic()
        cortex_emulator.stop()
        assert time.monotonic() - began < 5
        cortex_emulator.start()
        assert hanging.result() == [("[]",)]  # the driver has tried again
    assert not capfd.readouterr().err


def test_statuses_that_no_driver_retries_are_raised(cortex_emulator, connect):
    """403 is the end of it."""
    session = connect(network_timeout=1)
    cortex_emulator.faults.add("status", status=403)
    with pytest.raises(ForbiddenError):
        session.cursor().execute(SHOW)


def test_logins_can_be_refused(cortex_emulator, connect):
    """As with a wrong password; sessions that are open go on."""
    session = connect()
    cortex_emulator.faults.add("login")
    with pytest.raises(DatabaseError, match="Incorrect username or password") as caught:
        connect()
    assert caught.value.errno == 390100
    assert session.cursor().execute(SHOW).fetchall() == [("[]",)]
    assert cortex_emulator.logins == 1


def test_ended_sessions_are_told_so(cortex_emulator, connect):
    """The driver fails to renew one whose master token has expired, and says so."""
    session = connect()
    cortex_emulator.faults.add("expire")
    with pytest.raises(ProgrammingError, match="must authenticate again") as caught:
        session.cursor().execute(SHOW)
    assert caught.value.errno == 390114
    assert connect().cursor().execute(SHOW).fetchall() == [("[]",)]


def test_open_sessions_are_counted(cortex_emulator, connect):
    """A session is open until its client closes it, or it ends."""
    sessions = [connect() for _ in range(3)]
    assert cortex_emulator.open_sessions == 3
    sessions[0].close()
    assert cortex_emulator.open_sessions == 2
    cortex_emulator.faults.add("expire")
    assert cortex_emulator.open_sessions == 0
    assert cortex_emulator.logins == 3


def test_a_stopped_emulator_starts_where_it_was(cortex_emulator, connect):
    """The same port, the same jobs and tables, the same sessions."""
    session = connect()
    session.cursor().execute("CREATE TABLE kept AS SELECT 1 AS n")
    job = cortex_emulator.jobs.add(model="D.S.m")
    port = cortex_emulator.port
    cortex_emulator.stop()
    with pytest.raises(OperationalError):
        connect(login_timeout=1)
    cortex_emulator.start()
    assert cortex_emulator.port == port
    assert session.cursor().execute("SELECT n FROM kept").fetchall() == [(1,)]
    ((shown,),) = session.cursor().execute(SHOW).fetchall()
    assert [entry["id"] for entry in json.loads(shown)] == [job.id]


def test_a_stopped_emulator_keeps_its_port():
    """Else another server might get it by chance, and answer this one's clients."""
    with Emulator() as emulator:
        there = (emulator.host, emulator.port)
        emulator.stop()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(there)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(there)
        emulator.start()
        socket.create_connection(there).close()
        emulator.stop()
    with Emulator(port=emulator.port):
        pass


def test_two_emulators_know_nothing_of_each_other(cortex_emulator, connect):
    """Not even at the same time in one process."""
    with Emulator() as other:
        cortex_emulator.jobs.add(model="D.S.m")
        theirs = connect(other)
        theirs.cursor().execute("CREATE TABLE only_there AS SELECT 1 AS n")
        assert theirs.cursor().execute(SHOW).fetchall() == [("[]",)]
        with pytest.raises(ProgrammingError, match="does not exist"):
            connect().cursor().execute("SELECT * FROM only_there")
        assert (cortex_emulator.logins, other.logins) == (1, 1)


def test_many_sessions_work_at_once(cortex_emulator, connect):
    """Each look counts once, whoever looks."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(80))
    describe = f"SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"

    def look(session):
        for _ in range(20):
            session.cursor().execute(describe).fetchall()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, [connect() for _ in range(4)]))
    ((text,),) = connect().cursor().execute(describe).fetchall()
    assert json.loads(text)["status"] == "SUCCESS"


def test_many_jobs_are_created_at_once(cortex_emulator, connect, tickets):
    """Every job is read, and every model has a name of its own."""
    create = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', 'm', 'mistral-7b', %s)"
    with ThreadPoolExecutor(4) as pool:
        sessions = [connect() for _ in range(4)]
        list(pool.map(lambda s: s.cursor().execute(create, (tickets,)).fetchall(), sessions))
    jobs = cortex_emulator.jobs.all()
    assert {state.status for _, state in jobs} == {"SUCCESS"}
    assert len({job.model for job, _ in jobs}) == 4


def test_no_session_meets_a_warning_that_another_ignores(cortex_emulator, connect, monkeypatch):
    """The filter that keeps DuckDB's warning from being an error stays, once it is there, for all threads."""

    class Filters(list[object]):
        def remove(self, filter_):
            raise AssertionError(f"for a moment, {filter_} is not there")

    connect().cursor().execute(SHOW)
    monkeypatch.setattr(warnings, "filters", Filters(warnings.filters))
    connect().cursor().execute(SHOW)


def test_nothing_is_left_running():
    """Leaving the block ends the thread and frees the port."""
    before = set(threading.enumerate())
    with (
        Emulator() as emulator,
        snowflake.connector.connect(**emulator.connect_arguments) as session,
    ):
        session.cursor().execute(SHOW)
    assert set(threading.enumerate()) <= before
    with Emulator(port=emulator.port):
        pass


def ask(emulator, path="/jobs", body=None):
    url = f"http://{emulator.host}:{emulator.port}/emulator{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data=data, timeout=9) as response:
        return json.load(response)


def test_jobs_can_be_steered_by_curl(cortex_emulator):
    """Whoever runs the command has no Python object at hand."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(3))
    assert ask(cortex_emulator)[0]["status"] == "PENDING"
    (stalled,) = ask(cortex_emulator, f"/jobs/{job.id}/stall", {"progress": 0.4})
    assert (stalled["status"], stalled["progress"]) == ("IN_PROGRESS", 0.4)
    (failed,) = ask(cortex_emulator, f"/jobs/{job.id}/fail", {"code": "X", "message": "y"})
    assert failed["error"] == {"code": "X", "message": "y"}


def test_costs_are_counted(cortex_emulator, connect):
    """What a client has cost so far: logins, statements, how long those took with delays, and looks."""
    assert set(ask(cortex_emulator, "/counts").values()) == {0}
    cortex_emulator.password = "secret"
    with pytest.raises(DatabaseError):
        connect(password="wrong")
    session = connect(password="secret")
    job = cortex_emulator.jobs.add(model="D.S.m")
    call = f"SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
    cortex_emulator.statement_delay = 0.1
    for _ in range(2):
        session.cursor().execute(f"SELECT {call}, {call}")
    with pytest.raises(ProgrammingError):
        session.cursor().execute("SELEC 1")
    counts = ask(cortex_emulator, "/counts")
    assert 0.3 <= counts.pop("statement_seconds") < 3
    assert counts == {"logins": 1, "refused_logins": 1, "statements": 3, "looks": 4}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/jobs/ft_0/fail", {}, 404),
        ("/jobs/{id}/explode", {}, 404),
        ("/jobs/{id}/stall", {"speed": 1}, 400),
        ("/jobs/{id}/stall", [1], 400),
    ],
)
def test_wrong_steering_is_refused(cortex_emulator, path, body, status):
    """With a status, and a word about what is wrong."""
    job = cortex_emulator.jobs.add(model="D.S.m")
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(cortex_emulator, path.format(id=job.id), body)
    assert caught.value.code == status
    assert json.load(caught.value)["error"]


def test_a_busy_session_can_end() -> None:
    """A session that ends in the middle of a statement ends all the same, whenever that is."""
    with Emulator() as emulator:
        job = emulator.jobs.add(model="DB.S.M")
        errors: list[int | None] = []

        def look() -> None:
            for _ in range(20):
                try:
                    with snowflake.connector.connect(**emulator.connect_arguments) as session:
                        for _ in range(20):
                            session.cursor().execute(
                                "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)", (job.id,)
                            )
                except snowflake.connector.Error as error:
                    errors.append(error.errno)

        looking = threading.Thread(target=look)
        looking.start()
        while looking.is_alive():
            emulator.faults.add("expire")
            looking.join(0.05)
        assert set(errors) == {390114}


def test_a_password_is_checked_and_can_be_rotated(connect):
    """A login shows the right one or is refused; what the emulator hands out has the right one."""
    with Emulator(password="first") as emulator:
        assert show(connect(emulator)) == [("[]",)]
        assert json.loads(emulator.airflow_connection)["password"] == "first"
        emulator.password = "second"
        with pytest.raises(DatabaseError, match="Incorrect username or password") as caught:
            connect(emulator, password="first")
        assert caught.value.errno == 390100
        assert show(connect(emulator)) == [("[]",)]
        emulator.password = None
        assert show(connect(emulator, password="anything")) == [("[]",)]


def test_an_oauth_token_is_checked_and_can_be_rotated(cortex_emulator, connect):
    """One that was right before has expired; any other is invalid."""

    def log_in(token):
        return show(connect(authenticator="oauth", token=token))

    assert log_in("any") == [("[]",)]
    cortex_emulator.token = "first"
    assert log_in("first") == [("[]",)]
    cortex_emulator.token = "second"
    for token, code in ("first", 390318), ("any", 390303):
        with pytest.raises(DatabaseError) as caught:
            log_in(token)
        assert caught.value.errno == code
    assert log_in("second") == show(connect()) == [("[]",)]


def test_stopping_takes_no_time(cortex_emulator, connect):
    """Hundreds of tests start an emulator each."""
    began = time.monotonic()
    for _ in range(10):
        cortex_emulator.stop()
        cortex_emulator.start()
    assert time.monotonic() - began < 1
    assert show(connect()) == [("[]",)]
