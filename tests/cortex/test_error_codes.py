"""Which errors of Snowflake and its driver are permanent, and which are transient."""

import pytest

from airflow_provider_cortex.cortex.error_codes import (
    ERRNOS,
    SQLSTATES,
    ErrorKind,
    advice,
    classify,
)


@pytest.mark.parametrize(
    ("errno", "sqlstate", "expected"),
    [
        pytest.param(2003, "02000", ErrorKind.PERMANENT, id="no such object, or no privilege"),
        pytest.param(3001, "42501", ErrorKind.PERMANENT, id="no privilege"),
        pytest.param(2141, "42601", ErrorKind.PERMANENT, id="unknown function"),
        pytest.param(1008, "22023", ErrorKind.PERMANENT, id="invalid value"),
        pytest.param(606, "57P03", ErrorKind.PERMANENT, id="no warehouse"),
        pytest.param(251005, None, ErrorKind.CONFIGURATION, id="no user"),
        pytest.param(252004, None, ErrorKind.PERMANENT, id="a value that cannot be bound"),
        pytest.param(540001, "08001", ErrorKind.PERMANENT, id="403 at login"),
        pytest.param(390100, "28000", ErrorKind.LOGIN, id="wrong password"),
        pytest.param(390303, "08001", ErrorKind.LOGIN, id="OAuth token invalid"),
        pytest.param(390318, "08001", ErrorKind.LOGIN, id="OAuth token expired"),
        pytest.param(394400, "08001", ErrorKind.LOGIN, id="programmatic access token invalid"),
        pytest.param(
            4711, "28000", ErrorKind.LOGIN, id="an authorization failure without a known number"
        ),
        pytest.param(390112, "08001", ErrorKind.SESSION_ENDED, id="session expired"),
        pytest.param(390114, "08001", ErrorKind.SESSION_ENDED, id="token expired"),
        pytest.param(290404, "08001", ErrorKind.TRANSIENT, id="404 from a proxy"),
        pytest.param(580403, "n/a", ErrorKind.TRANSIENT, id="403 from a proxy"),
        pytest.param(604, "57014", ErrorKind.TRANSIENT, id="statement cancelled"),
        pytest.param(630, "57014", ErrorKind.TRANSIENT, id="statement too slow"),
        pytest.param(603, "XX000", ErrorKind.TRANSIENT, id="internal error"),
        pytest.param(100351, "P0000", ErrorKind.TRANSIENT, id="remote service error"),
        pytest.param(250001, "n/a", ErrorKind.TRANSIENT, id="cannot connect"),
        pytest.param(580429, "n/a", ErrorKind.TRANSIENT, id="429"),
        pytest.param(290503, "n/a", ErrorKind.TRANSIENT, id="503"),
        pytest.param(4711, "53000", ErrorKind.TRANSIENT, id="resources"),
        pytest.param(4711, None, ErrorKind.TRANSIENT, id="an unknown number without a state"),
        pytest.param(None, None, ErrorKind.TRANSIENT, id="nothing known"),
    ],
)
def test_the_number_decides_before_the_sql_state(
    errno: int | None, sqlstate: str | None, expected: ErrorKind
) -> None:
    """The SQL state decides if the number is unknown; unlisted errors are transient."""
    assert classify(errno=errno, sqlstate=sqlstate) is expected


@pytest.mark.parametrize("errno", [250001, 390102, 390913])
def test_a_login_that_snowflake_rejects_is_about_the_credentials(errno: int) -> None:
    """That holds for every number; the same numbers without a rejection are transient."""
    assert (
        classify(errno=errno, sqlstate="08001", logging_in=True, login_rejected=True)
        is ErrorKind.LOGIN
    )
    assert classify(errno=errno, sqlstate="08001", logging_in=True) is ErrorKind.TRANSIENT


@pytest.mark.parametrize("errno", [290400, 290401, 290403, 580404, 580405])
def test_an_http_client_error_is_permanent_only_at_login(errno: int) -> None:
    """On an open session it comes from a proxy, and is transient."""
    assert classify(errno=errno, sqlstate="n/a", logging_in=True) is ErrorKind.PERMANENT
    assert classify(errno=errno, sqlstate="n/a") is ErrorKind.TRANSIENT


@pytest.mark.parametrize("errno", [290408, 290429, 290500, 290503, 290600, 290099])
def test_an_overload_at_login_is_transient(errno: int) -> None:
    """So is a number that holds no HTTP status."""
    assert classify(errno=errno, sqlstate="08001", logging_in=True) is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Unknown user-defined function SNOWFLAKE.CORTEX.FINETUNE", True),
        ("SQL compilation error:\nUnknown function AI_COMPLETE.", True),
        ("Unknown user-defined function DB.AI.MY_FUNCTION", False),
        ("Object 'SNOWFLAKE.CORTEX.FINETUNE' does not exist", False),
    ],
)
def test_only_an_unknown_cortex_function_is_about_grants(message: str, *, expected: bool) -> None:
    """A user's own function may be missing for other reasons."""
    assert ("CORTEX_USER" in advice(message)) is expected


def test_the_tables_are_well_formed() -> None:
    """SQL state classes have two characters; no listed number holds an HTTP status."""
    assert {len(state) for state in SQLSTATES} == {2}
    assert [errno for errno in ERRNOS if 290000 <= errno < 300000 or errno >= 580000] == []
