"""Logins and sessions: credentials, endings, and many at the same time."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowflake.connector
from snowflake.connector.errors import DatabaseError

from airflow_provider_cortex.emulator import Emulator, Life
from tests.emulator.client import show


def test_a_password_is_checked_and_can_be_rotated(connect):
    """The emulator's own connection settings always have the right one."""
    with Emulator(tls=False, password="first") as emulator:
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
    """An earlier token has expired; any other is invalid."""

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


def test_a_programmatic_access_token_is_checked_and_can_be_rotated(cortex_emulator, connect):
    """As in Snowflake, an expired one is invalid, and a valid one replaces the password."""

    def log_in(token):
        return show(connect(authenticator="PROGRAMMATIC_ACCESS_TOKEN", token=token))

    assert log_in("any") == [("[]",)]
    cortex_emulator.access_token, cortex_emulator.password = "first", "secret"
    assert log_in("first") == [("[]",)]
    cortex_emulator.access_token = "second"
    for token in "first", "secret", "any":
        with pytest.raises(DatabaseError, match="Programmatic access token is invalid") as caught:
            log_in(token)
        assert caught.value.errno == 394400
    assert log_in("second") == show(connect()) == show(connect(password="second")) == [("[]",)]
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        connect(password="first")
    cortex_emulator.reset()
    assert log_in("any") == [("[]",)]


def test_open_sessions_are_counted(cortex_emulator, connect):
    """A session is open until its client closes it, or it ends."""
    sessions = [connect() for _ in range(3)]
    assert cortex_emulator.open_sessions == 3
    sessions[0].close()
    assert cortex_emulator.open_sessions == 2
    cortex_emulator.faults.add("expire")
    assert cortex_emulator.open_sessions == 0
    assert cortex_emulator.logins == 3


def test_a_busy_session_can_end() -> None:
    """A session that ends during a statement is an ordinary expired session."""
    with Emulator(tls=False) as emulator:
        job = emulator.jobs.add(model="DB.S.M")
        errors: list[int | None] = []

        def poll() -> None:
            for _ in range(20):
                try:
                    with snowflake.connector.connect(**emulator.connect_arguments) as session:
                        for _ in range(20):
                            session.cursor().execute(
                                "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)", (job.id,)
                            )
                except snowflake.connector.Error as error:
                    errors.append(error.errno)

        polling = threading.Thread(target=poll)
        polling.start()
        while polling.is_alive():
            emulator.faults.add("expire")
            polling.join(0.05)
        assert set(errors) == {390114}


def test_a_session_can_be_closed_while_its_statement_runs() -> None:
    """Its client gets no error for the logout, and the emulator reports none."""
    is_slow, is_running, may_end = threading.Event(), threading.Event(), threading.Event()

    def clock() -> float:
        # Not the thread that serves HTTP.
        if is_slow.is_set() and threading.current_thread().name != "cortex-emulator":
            is_running.set()
            may_end.wait(30)
        return time.time()

    with Emulator(tls=False, clock=clock) as emulator:
        job = emulator.jobs.add(model="DB.S.M")
        session = snowflake.connector.connect(**emulator.connect_arguments)
        describe = f"SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"
        executing = threading.Thread(target=session.cursor().execute, args=(describe,))
        is_slow.set()
        executing.start()
        assert is_running.wait(30)
        session.close()
        assert emulator.open_sessions == 0
        may_end.set()
        executing.join()


def test_delays_of_clients_overlap(cortex_emulator, connect):
    """One client's delay does not delay the others, as on a network."""
    cortex_emulator.login_delay = cortex_emulator.statement_delay = 0.3
    began = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        shown = pool.map(lambda _: show(connect()), range(12))
    assert list(shown) == [[("[]",)]] * 12
    assert 0.6 < time.monotonic() - began < 12 * 0.6


def test_concurrent_polls_are_all_counted(cortex_emulator, connect):
    """No poll is lost, and none counts twice."""
    job = cortex_emulator.jobs.add(model="D.S.m", life=Life.by_looks(80))
    describe = f"SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')"

    def poll(session):
        for _ in range(20):
            session.cursor().execute(describe).fetchall()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(poll, [connect() for _ in range(4)]))
    ((text,),) = connect().cursor().execute(describe).fetchall()
    assert json.loads(text)["status"] == "SUCCESS"


def test_concurrent_statements_of_one_session_are_all_executed(connect):
    """Snowflake runs them side by side; the emulator one after the other."""
    connection = connect()

    def ask(number: int) -> int:
        sql = f"SELECT {number} + COUNT(*) - 200000 FROM TABLE(GENERATOR(ROWCOUNT => 200000))"
        return int(connection.cursor().execute(sql).fetchone()[0])

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(40))) == list(range(40))


def test_concurrent_jobs_get_different_models(cortex_emulator, connect, tickets):
    """Each job's data is read."""
    create = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', 'm', 'mistral-7b', %s)"
    with ThreadPoolExecutor(4) as pool:
        sessions = [connect() for _ in range(4)]
        list(pool.map(lambda s: s.cursor().execute(create, (tickets,)).fetchall(), sessions))
    jobs = cortex_emulator.jobs.all()
    assert {state.status for _, state in jobs} == {"SUCCESS"}
    assert len({job.model for job, _ in jobs}) == 4
