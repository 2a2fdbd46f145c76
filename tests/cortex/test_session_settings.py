"""Which session a call runs in."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings, query_tag
from airflow_provider_cortex.errors import UnsupportedValueError


def test_settings_there_and_back() -> None:
    """What is set travels as JSON and makes the same session again; what is not does not travel."""
    session = SessionSettings(role="TUNER", session_parameters={"TIMEZONE": "UTC"})
    settings = json.loads(json.dumps(session.to_dict()))
    assert settings == {
        "snowflake_conn_id": "snowflake_default",
        "role": "TUNER",
        "session_parameters": {"TIMEZONE": "UTC"},
    }
    assert SessionSettings(**settings) == session


def test_tag_says_who_asked() -> None:
    """Snowflake's query history names the task that asked, in JSON."""
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
def test_tag_of_any_ids(one: str, length: int) -> None:
    """However long ids are and whatever is in them, the tag is JSON that Snowflake takes, and begins with them."""
    ids = {"dag_id": "d" * 250, "task_id": "t" * 250, "run_id": one * length}
    tag = query_tag(**ids)
    assert len(tag) <= 2000  # https://docs.snowflake.com/en/sql-reference/parameters#query-tag
    told = json.loads(tag)
    assert told.pop("package") == "airflow-provider-cortex"
    assert told.keys() == ids.keys()
    for name, whole in ids.items():
        assert whole.startswith(told[name])
        assert len(told[name]) >= min(100, len(whole))
    SessionSettings(query_tag=tag)


@pytest.mark.parametrize("one", ["ü", "発", '"', "\\", "\n"], ids=ascii)
def test_tag_of_long_ids_in_other_letters(one: str) -> None:
    """So it is if all three of them are as long as Airflow allows, in letters that JSON may have to escape."""
    tag = query_tag(dag_id=one * 250, task_id=one * 250, run_id=one * 250)
    assert len(tag) <= 2000
    assert set(json.loads(tag).values()) == {"airflow-provider-cortex", one * 250}


def test_names_that_are_numbers() -> None:
    """The name of a warehouse may be digits, of which a template may have made a number."""
    names: dict[str, Any] = {"warehouse": 2024, "schema": 7, "database": 0}
    session = SessionSettings(**names, session_parameters='{"TIMEZONE": "UTC"}')  # type: ignore[arg-type]
    assert (session.warehouse, session.schema, session.database) == ("2024", "7", "0")
    assert session.session_parameters == {"TIMEZONE": "UTC"}


def test_a_session_for_many_tasks_names_none() -> None:
    """Tasks whose settings differ in nothing but the tag share a session, whose tag names no task."""
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
def test_setting_that_no_login_can_tell(setting: dict[str, Any]) -> None:
    """A setting that would not arrive as it was given makes no session, and the error names it."""
    with pytest.raises(UnsupportedValueError, match=f"^{next(iter(setting))} "):
        SessionSettings(**setting)
