"""The settings of a session, and its query tag."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings, query_tag
from airflow_provider_cortex.errors import UnsupportedValueError


def test_settings_survive_json() -> None:
    """Settings that are None are left out."""
    session = SessionSettings(role="TUNER", session_parameters={"TIMEZONE": "UTC"})
    settings = json.loads(json.dumps(session.to_dict()))
    assert settings == {
        "snowflake_conn_id": "snowflake_default",
        "role": "TUNER",
        "session_parameters": {"TIMEZONE": "UTC"},
    }
    assert SessionSettings(**settings) == session


def test_the_tag_names_the_task() -> None:
    """Snowflake's query history shows it as JSON."""
    assert json.loads(query_tag(dag_id="tickets", task_id="wait", run_id=None)) == {
        "package": "airflow-provider-cortex",
        "dag_id": "tickets",
        "task_id": "wait",
        "run_id": None,
    }


@pytest.mark.parametrize(
    "one",
    ["i", "ü", "発", "😀", '"', "\\", "\n", "\x1f", "</script>", "\u2028"],
    ids=ascii,
)
@pytest.mark.parametrize("length", [1, 250, 400])
def test_a_tag_is_valid_for_any_ids(one: str, length: int) -> None:
    """It is JSON, short enough for Snowflake, and has at least the start of each id."""
    ids = {"dag_id": "d" * 250, "task_id": "t" * 250, "run_id": one * length}
    tag = query_tag(**ids)
    assert len(tag) <= 2000  # https://docs.snowflake.com/en/sql-reference/parameters#query-tag
    decoded = json.loads(tag)
    assert decoded.pop("package") == "airflow-provider-cortex"
    assert decoded.keys() == ids.keys()
    for name, whole in ids.items():
        assert whole.startswith(decoded[name])
        assert len(decoded[name]) >= min(100, len(whole))
    SessionSettings(query_tag=tag)


@pytest.mark.parametrize("one", ["ü", "発", '"', "\\", "\n"], ids=ascii)
def test_a_tag_has_the_whole_of_long_ids(one: str) -> None:
    """All three ids may have Airflow's full length, in characters that JSON may escape."""
    tag = query_tag(dag_id=one * 250, task_id=one * 250, run_id=one * 250)
    assert len(tag) <= 2000
    assert set(json.loads(tag).values()) == {"airflow-provider-cortex", one * 250}


def test_a_name_may_be_a_number() -> None:
    """A template may turn a name of digits into a number."""
    names: dict[str, Any] = {"warehouse": 2024, "schema": 7, "database": 0}
    session = SessionSettings(**names, session_parameters='{"TIMEZONE": "UTC"}')  # type: ignore[arg-type]
    assert (session.warehouse, session.schema, session.database) == ("2024", "7", "0")
    assert session.session_parameters == {"TIMEZONE": "UTC"}


def test_the_tag_of_a_shared_session_names_no_task() -> None:
    """Tasks whose settings differ only in the tag share a session."""
    one, other = (
        SessionSettings(
            role="TUNER", query_tag=query_tag(dag_id="tickets", task_id=task, run_id="r")
        )
        for task in ("wait", "wait_too")
    )
    assert one.shared() == other.shared()
    assert one.shared().role == "TUNER"
    assert json.loads(one.shared().query_tag or "") == {"package": "airflow-provider-cortex"}


@pytest.mark.parametrize(
    "setting",
    [
        {"role": "TUNER\0"},
        {"warehouse": [7]},
        {"warehouse": True},
        {"session_parameters": {"TIMEZONE": "\0"}},
        {"session_parameters": '{"TIMEZONE": "\\u0000"}'},
        {"session_parameters": "TIMEZONE=UTC"},
        {"session_parameters": '["TIMEZONE"]'},
        {"session_parameters": 7},
    ],
    ids=repr,
)
def test_a_setting_that_cannot_be_sent_is_rejected(setting: dict[str, Any]) -> None:
    """The error names the setting."""
    with pytest.raises(UnsupportedValueError, match=f"^{next(iter(setting))} "):
        SessionSettings(**setting)
