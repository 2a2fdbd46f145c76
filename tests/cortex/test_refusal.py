"""Telling refusals from trouble that passes."""

import pytest

from airflow_provider_cortex.cortex.refusal import is_lasting


@pytest.mark.parametrize(
    ("errno", "sqlstate", "statement", "lasting"),
    [
        pytest.param(2003, "02000", True, True, id="no such object, or no privilege"),
        pytest.param(2141, "42601", True, True, id="unknown function"),
        pytest.param(606, "57P03", True, True, id="no warehouse"),
        pytest.param(251005, None, True, True, id="no user"),
        pytest.param(540001, "08001", False, True, id="403 at login"),
        pytest.param(290404, "08001", False, False, id="404 from a proxy"),
        pytest.param(580403, "n/a", False, False, id="403 from a proxy"),
        pytest.param(390112, "08001", True, False, id="session expired"),
        pytest.param(390114, "08001", True, False, id="token expired"),
        pytest.param(604, "57014", True, False, id="statement cancelled"),
        pytest.param(603, "XX000", True, False, id="internal error"),
        pytest.param(250001, "n/a", False, False, id="cannot connect"),
        pytest.param(580429, "n/a", False, False, id="429"),
        pytest.param(290503, "n/a", False, False, id="503"),
        pytest.param(None, None, False, False, id="nothing known"),
    ],
)
def test_by_number(errno: int | None, sqlstate: str | None, statement: bool, lasting: bool) -> None:
    """Numbers and SQL states decide; what is not known to last is borne."""
    assert is_lasting(errno=errno, sqlstate=sqlstate, statement=statement) is lasting


def test_rejected_login() -> None:
    """A login that Snowflake turned down stays turned down, whatever its number."""
    assert is_lasting(errno=390100, sqlstate="28000", logging_in=True, turned_down=True)


@pytest.mark.parametrize("errno", [290403, 580404])
def test_closed_door(errno: int) -> None:
    """An HTTP status that says no is a refusal at login; on an open session it passes."""
    assert is_lasting(errno=errno, sqlstate="n/a", logging_in=True)
    assert not is_lasting(errno=errno, sqlstate="n/a", logging_in=False)


@pytest.mark.parametrize(
    ("said", "lasting"),
    [
        ("400 '\"unknown model\"'", True),
        ("'403 forbidden'", True),
        ("500 '\"internal error\"'", False),
        ("503", False),
        ("429 'slow down'", False),
        ("unheard of", False),
    ],
)
def test_remote_service(said: str, lasting: bool) -> None:
    """Of what is behind a Cortex function, a bad request stays bad; being busy passes."""
    message = f"Request failed for external function X with remote service error: {said}"
    found = is_lasting(errno=100351, sqlstate="P0000", message=message, statement=True)
    assert found is lasting
