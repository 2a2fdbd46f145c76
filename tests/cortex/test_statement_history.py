"""The search in Snowflake's query history, and how its answer is read."""

import pytest

from airflow_provider_cortex.cortex import statement_history
from airflow_provider_cortex.cortex.statement_history import PastStatement
from airflow_provider_cortex.errors import UnreadableAnswerError


def test_the_text_is_bound() -> None:
    """It is a value, so it cannot become a part of the statement."""
    call = statement_history.search("it's")
    assert "it's" not in call.sql
    assert call.values == ("it's",)
    assert call.only_reads


@pytest.mark.parametrize(
    ("status", "is_running"),
    [
        ("RUNNING", True),
        ("QUEUED", True),
        ("BLOCKED", True),
        ("RESUMING_WAREHOUSE", True),
        ("A_NEW_ONE", True),
        ("SUCCESS", False),
        ("FAILED_WITH_ERROR", False),
        ("FAILED_WITH_INCIDENT", False),
    ],
)
def test_a_statement_runs_until_it_has_succeeded_or_failed(status: str, is_running: bool) -> None:
    """Snowflake's page has the statuses in small letters, its answers have them in capitals."""
    for spelled in status, status.lower():
        (statement,) = statement_history.read([("id", spelled, "SELECT 1")])
        assert statement == PastStatement("id", status, "SELECT 1")
        assert statement.is_running == is_running


@pytest.mark.parametrize("row", [("id", "RUNNING"), ("id", None, "x"), (1, "RUNNING", "x"), ()])
def test_a_row_of_another_shape_is_unreadable(row: tuple[object, ...]) -> None:
    """It is reported as such, instead of as no statement."""
    with pytest.raises(UnreadableAnswerError, match="an id, a status and a text"):
        statement_history.read([row])
