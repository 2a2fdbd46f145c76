"""Telling refusals from trouble that passes."""

import pytest

from airflow_provider_cortex.cortex.error_codes import ERRNOS, SQLSTATES, ErrorKind, classify


@pytest.mark.parametrize(
    ("errno", "sqlstate", "expected"),
    [
        pytest.param(2003, "02000", ErrorKind.LASTS, id="no such object, or no privilege"),
        pytest.param(3001, "42501", ErrorKind.LASTS, id="no privilege"),
        pytest.param(2141, "42601", ErrorKind.LASTS, id="unknown function"),
        pytest.param(1008, "22023", ErrorKind.LASTS, id="invalid value"),
        pytest.param(606, "57P03", ErrorKind.LASTS, id="no warehouse"),
        pytest.param(251005, None, ErrorKind.LASTS, id="no user"),
        pytest.param(252004, None, ErrorKind.LASTS, id="a value that cannot be bound"),
        pytest.param(540001, "08001", ErrorKind.LASTS, id="403 at login"),
        pytest.param(390100, "28000", ErrorKind.LOGIN, id="wrong password"),
        pytest.param(390303, "08001", ErrorKind.LOGIN, id="OAuth token invalid"),
        pytest.param(390318, "08001", ErrorKind.LOGIN, id="OAuth token expired"),
        pytest.param(
            4711, "28000", ErrorKind.LOGIN, id="an authorization failure without a known number"
        ),
        pytest.param(390112, "08001", ErrorKind.SESSION_OVER, id="session expired"),
        pytest.param(390114, "08001", ErrorKind.SESSION_OVER, id="token expired"),
        pytest.param(290404, "08001", ErrorKind.PASSES, id="404 from a proxy"),
        pytest.param(580403, "n/a", ErrorKind.PASSES, id="403 from a proxy"),
        pytest.param(604, "57014", ErrorKind.PASSES, id="statement cancelled"),
        pytest.param(630, "57014", ErrorKind.PASSES, id="statement too slow"),
        pytest.param(603, "XX000", ErrorKind.PASSES, id="internal error"),
        pytest.param(100351, "P0000", ErrorKind.PASSES, id="remote service error"),
        pytest.param(250001, "n/a", ErrorKind.PASSES, id="cannot connect"),
        pytest.param(580429, "n/a", ErrorKind.PASSES, id="429"),
        pytest.param(290503, "n/a", ErrorKind.PASSES, id="503"),
        pytest.param(4711, "53000", ErrorKind.PASSES, id="resources"),
        pytest.param(4711, None, ErrorKind.PASSES, id="an unknown number without a state"),
        pytest.param(None, None, ErrorKind.PASSES, id="nothing known"),
    ],
)
def test_by_number_and_state(errno: int | None, sqlstate: str | None, expected: ErrorKind) -> None:
    """Numbers decide, and SQL states where the number is unknown; what is in neither table is borne."""
    assert classify(errno=errno, sqlstate=sqlstate) is expected


@pytest.mark.parametrize("errno", [250001, 390102, 390913])
def test_rejected_login(errno: int) -> None:
    """A login that Snowflake itself turned down is about the credentials, whatever its number."""
    assert (
        classify(errno=errno, sqlstate="08001", logging_in=True, turned_down=True)
        is ErrorKind.LOGIN
    )
    assert classify(errno=errno, sqlstate="08001", logging_in=True) is ErrorKind.PASSES


@pytest.mark.parametrize("errno", [290400, 290401, 290403, 580404, 580405])
def test_closed_door(errno: int) -> None:
    """An HTTP status that says no is a refusal at login; on an open session it passes."""
    assert classify(errno=errno, sqlstate="n/a", logging_in=True) is ErrorKind.LASTS
    assert classify(errno=errno, sqlstate="n/a") is ErrorKind.PASSES


@pytest.mark.parametrize("errno", [290408, 290429, 290500, 290503, 290600, 290099])
def test_overload_at_login(errno: int) -> None:
    """An overloaded Snowflake is no refusal, at login neither; nor is what is no HTTP status."""
    assert classify(errno=errno, sqlstate="08001", logging_in=True) is ErrorKind.PASSES


def test_tables() -> None:
    """A class has two characters; no number of the tables is an HTTP status in disguise, but the one that is told."""
    assert {len(state) for state in SQLSTATES} == {2}
    assert [errno for errno in ERRNOS if 290000 <= errno < 300000 or errno >= 580000] == []
