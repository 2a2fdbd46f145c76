"""Faults of logins, sessions and statements."""

import pytest
from snowflake.connector.errors import DatabaseError, ProgrammingError

from tests.emulator.client import show


@pytest.mark.parametrize(
    ("parameters", "errno", "message"),
    [
        ({}, 390100, "Incorrect username or password was specified"),
        ({"code": 390144, "message": "JWT token is invalid."}, 390144, "JWT token is invalid"),
    ],
)
def test_logins_can_be_rejected(cortex_emulator, connect, parameters, errno, message):
    """Open sessions are not affected."""
    session = connect()
    cortex_emulator.faults.add("login", requests=2, **parameters)
    for _ in range(2):
        with pytest.raises(DatabaseError, match=message) as caught:
            connect()
        assert caught.value.errno == errno
    assert show(session) == show(connect()) == [("[]",)]


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
    """Only the one that is struck. Other sessions and new logins work."""
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
    """The fault ends immediately, so later sessions are not affected."""
    sessions = [connect(), connect()]
    cortex_emulator.faults.add("expire")
    assert cortex_emulator.open_sessions == 0
    assert not list(cortex_emulator.faults)
    for session in sessions:
        with pytest.raises(ProgrammingError, match="must authenticate again") as caught:
            show(session)
        assert caught.value.errno == 390114
    assert show(connect()) == [("[]",)]


def test_statements_can_fail(cortex_emulator, connect):
    """With number, state and message. A failed statement is recorded, but has no effect."""
    session = connect()
    cortex_emulator.faults.add("error", requests=1)
    with pytest.raises(ProgrammingError, match="incident 4711") as caught:
        show(session)
    assert (caught.value.errno, caught.value.sqlstate) == (603, "XX000")
    cortex_emulator.faults.add("error", code=630, sqlstate="57014", message="Timeout.", requests=1)
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute("CREATE TABLE t (n INTEGER)")
    error = caught.value
    assert (error.errno, error.sqlstate, error.raw_msg) == (630, "57014", "Timeout.")
    assert len(cortex_emulator.statements) == 2
    session.cursor().execute("CREATE TABLE t (n INTEGER)")


@pytest.mark.parametrize(("kind", "times"), [("no-row", 0), ("two-rows", 2)])
def test_rows_can_be_missing_or_doubled(cortex_emulator, connect, kind, times):
    """In the result of any statement. A statement that fails still fails."""
    cursor = connect().cursor()
    cortex_emulator.faults.add(kind)
    rows = cursor.execute("SELECT 1 AS n, 'x' AS t, NULL AS nothing").fetchall()
    assert rows == [(1, "x", None)] * times
    assert cursor.rowcount == times
    with pytest.raises(ProgrammingError, match=r"^002003 "):
        cursor.execute("SELECT * FROM nowhere")
