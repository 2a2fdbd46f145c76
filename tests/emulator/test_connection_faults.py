"""Faults of the connection: what the driver does about each."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from snowflake.connector.errors import Error, ForbiddenError, OperationalError
from snowflake.connector.vendored.requests.exceptions import ChunkedEncodingError

from airflow_provider_cortex.emulator import Emulator
from tests.clock import Clock, wait_until
from tests.emulator.client import SHOW, kinds, post, request_json, show


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
def test_the_driver_retries_a_broken_response(
    cortex_emulator, connect, capfd, caplog, kind, parameters, runs
):
    """If only the response was lost, the statement is executed twice."""
    session = connect()
    cortex_emulator.faults.add(kind, requests=1, **parameters)
    assert show(session) == [("[]",)]
    assert kinds(cortex_emulator.faults.struck) == [kind]
    assert len(cortex_emulator.statements) == runs
    assert not capfd.readouterr().err
    assert "uvicorn" not in {record.name.partition(".")[0] for record in caplog.records}


@pytest.mark.parametrize("kind", ["refuse", "cut", "html", "status"])
def test_a_fault_without_limits_lasts_until_cleared(cortex_emulator, connect, kind):
    """The driver gives up at last. Its session is not affected."""
    session = connect(network_timeout=1)
    cortex_emulator.faults.add(kind)
    with pytest.raises(Error):
        show(session)
    cortex_emulator.faults.clear()
    assert show(session) == [("[]",)]


def test_the_driver_does_not_retry_403(cortex_emulator, connect):
    """It raises the error immediately."""
    session = connect(network_timeout=1)
    cortex_emulator.faults.add("status", status=403)
    with pytest.raises(ForbiddenError):
        session.cursor().execute(SHOW)


def test_the_driver_does_not_retry_a_reset(cortex_emulator, connect):
    """It raises the HTTP library's own error immediately."""
    session = connect()
    cortex_emulator.faults.add("reset", requests=1)
    with pytest.raises(ChunkedEncodingError, match="IncompleteRead"):
        show(session)
    assert len(cortex_emulator.statements) == 1
    assert show(session) == [("[]",)]


@pytest.mark.parametrize("kind", ["refuse", "cut", "html", "status"])
def test_faults_at_login_strike_logins(cortex_emulator, connect, kind):
    """The driver retries a login, too."""
    cortex_emulator.faults.add(kind, at="login", requests=1)
    assert show(connect()) == [("[]",)]
    assert kinds(cortex_emulator.faults.struck) == [kind]


@pytest.mark.parametrize("is_https", [False, True])
def test_refuse_sends_nothing_and_reset_sends_a_part(tmp_path, capfd, caplog, is_https):
    """Over HTTP and HTTPS, and without a warning from the server."""
    with Emulator(tls=is_https) as emulator:
        context = None
        if emulator.certificates:
            context = ssl.create_default_context(cafile=emulator.certificates.authorities)

        def send():
            url = f"{emulator.url}/queries/v1/query-request"
            with urllib.request.urlopen(url, data=b"{}", timeout=9, context=context) as response:
                return response.read()

        emulator.faults.add("refuse", requests=1)
        emulator.faults.add("reset", requests=1)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            send()
        with pytest.raises(http.client.IncompleteRead) as caught:
            send()
        assert caught.value.partial.startswith(b'{"data":')
        assert json.loads(send())["code"] == "390112"
    assert not capfd.readouterr().err
    assert "uvicorn" not in {record.name.partition(".")[0] for record in caplog.records}


def test_a_hanging_request_is_served_when_cleared(cortex_emulator, connect):
    """Other clients are not affected."""
    session, other = connect(), connect()
    cortex_emulator.faults.add("hang", requests=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(show, session)
        wait_until(lambda: cortex_emulator.faults.struck)
        assert show(other) == [("[]",)]
        assert not hanging.done()
        cortex_emulator.faults.clear()
        assert hanging.result() == [("[]",)]


def test_a_hanging_request_is_served_when_the_time_is_up():
    """By the emulator's clock, and without another request."""
    clock = Clock()
    with Emulator(tls=False, clock=clock.time) as emulator, ThreadPoolExecutor(1) as pool:
        emulator.faults.add("hang", seconds=60)
        hanging = pool.submit(post, emulator, "/queries/v1/query-request", {})
        wait_until(lambda: emulator.faults.struck)
        clock.now += 61
        assert hanging.result()["code"] == "390112"
        assert kinds(emulator.faults.struck) == ["hang"]


def test_a_hang_ends_when_the_client_or_the_emulator_does(cortex_emulator, connect, capfd):
    """The statement of a client that has gone is not executed."""
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


def test_a_slow_statement_is_executed_although_its_client_has_gone(cortex_emulator, connect):
    """Unlike one that hangs."""
    session = connect(socket_timeout=1, network_timeout=1)
    cortex_emulator.faults.add("slow", delay=1.5, requests=1)
    with pytest.raises(OperationalError):
        show(session)
    assert not cortex_emulator.statements
    wait_until(lambda: cortex_emulator.statements)


def test_the_control_api_and_abort_requests_are_never_struck(cortex_emulator):
    """Otherwise faults could not be cleared, and a thread of the driver would crash."""
    cortex_emulator.faults.add("refuse")
    cortex_emulator.faults.add("status", at="any")
    assert request_json(cortex_emulator, "/emulator/faults")["active"]
    assert post(cortex_emulator, "/queries/v1/abort-request", {})["success"]
    assert not cortex_emulator.faults.struck
