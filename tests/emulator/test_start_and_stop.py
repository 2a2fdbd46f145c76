"""Starting and stopping: the port, the state, the time, and the resources."""

import gc
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowflake.connector
from snowflake.connector.errors import OperationalError, ProgrammingError

from airflow_provider_cortex.emulator import Emulator
from tests.clock import wait_until
from tests.emulator.client import SHOW, show


def test_a_restart_keeps_port_jobs_tables_and_sessions(cortex_emulator, connect):
    """As if the emulator had only been unreachable."""
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
    """Otherwise another server might get the port, and answer the clients."""
    with Emulator(tls=False) as emulator:
        address = (emulator.host, emulator.port)
        emulator.stop()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        emulator.start()
        socket.create_connection(address).close()
        emulator.stop()
    with Emulator(tls=False, port=emulator.port):
        pass


def test_stopping_closes_a_connection_that_has_just_come(cortex_emulator):
    """Python 3.12 would warn of an unclosed socket, in whatever test runs then."""
    for _ in range(20):
        socket.create_connection((cortex_emulator.host, cortex_emulator.port)).close()
        cortex_emulator.stop()
        cortex_emulator.start()
    gc.collect()


def test_starting_and_stopping_is_fast(cortex_emulator, connect):
    """Hundreds of tests start an emulator each."""
    began = time.monotonic()
    for _ in range(10):
        cortex_emulator.stop()
        cortex_emulator.start()
    assert time.monotonic() - began < 1
    assert show(connect()) == [("[]",)]


def test_a_waiting_client_does_not_delay_the_stop(cortex_emulator, connect, capfd):
    """Nor does it delay other clients."""
    session, other = connect(), connect()
    cortex_emulator.statement_delay = 3600
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(show, session)
        wait_until(lambda: cortex_emulator.statements)
        cortex_emulator.statement_delay = 0
        assert show(other) == [("[]",)]
        began = time.monotonic()
        cortex_emulator.stop()
        assert time.monotonic() - began < 5
        cortex_emulator.start()
        assert waiting.result() == [("[]",)]  # the driver has tried again
    assert not capfd.readouterr().err


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "HTTPS"])
def test_stopping_closes_every_connection(tls):
    """Also that of a client that comes just then: left open, it is a ResourceWarning, an error."""
    with Emulator(tls=tls) as emulator:
        for _ in range(20):
            with socket.create_connection((emulator.host, emulator.port)):
                emulator.stop()
            emulator.start()
    gc.collect()


def test_closing_ends_the_threads_and_frees_the_port():
    """Leaving the context manager closes the emulator; its web server's threads end then."""
    before = set(threading.enumerate())
    with (
        Emulator(tls=False) as emulator,
        snowflake.connector.connect(**emulator.connect_arguments) as session,
    ):
        session.cursor().execute(SHOW)
    wait_until(lambda: set(threading.enumerate()) <= before)
    with Emulator(tls=False, port=emulator.port):
        pass


def test_two_emulators_are_independent(cortex_emulator, connect):
    """Even at the same time in one process."""
    with Emulator(tls=False) as other:
        cortex_emulator.jobs.add(model="D.S.m")
        theirs = connect(other)
        theirs.cursor().execute("CREATE TABLE only_there AS SELECT 1 AS n")
        assert theirs.cursor().execute(SHOW).fetchall() == [("[]",)]
        with pytest.raises(ProgrammingError, match=r"^002003 "):
            connect().cursor().execute("SELECT * FROM only_there")
        assert (cortex_emulator.logins, other.logins) == (1, 1)
