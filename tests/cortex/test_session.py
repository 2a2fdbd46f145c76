"""Which session a call runs in."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session import Session, query_tag
from airflow_provider_cortex.errors import UnsendableError


def test_settings_there_and_back() -> None:
    """What is set travels as JSON and makes the same session again; what is not does not travel."""
    session = Session(role="TUNER", session_parameters={"TIMEZONE": "UTC"})
    settings = json.loads(json.dumps(session.to_dict()))
    assert settings == {
        "snowflake_conn_id": "snowflake_default",
        "role": "TUNER",
        "session_parameters": {"TIMEZONE": "UTC"},
    }
    assert Session(**settings) == session


def test_tag_says_who_asked() -> None:
    """Snowflake's query history names the task that asked, in JSON."""
    assert json.loads(query_tag(dag_id="tickets", task_id="wait", run_id=None)) == {
        "package": "airflow-provider-cortex",
        "dag_id": "tickets",
        "task_id": "wait",
        "run_id": None,
    }


def test_a_session_for_many_tasks_names_none() -> None:
    """Tasks whose settings differ in nothing but the tag share a session, whose tag names no task."""
    one, other = (
        Session(role="TUNER", query_tag=query_tag(dag_id="tickets", task_id=task, run_id="r"))
        for task in ("wait", "wait_too")
    )
    assert one.shared() == other.shared()
    assert one.shared().role == "TUNER"
    assert json.loads(one.shared().query_tag or "") == {"package": "airflow-provider-cortex"}


@pytest.mark.parametrize(
    "setting",
    [{"role": "TUNER\0"}, {"warehouse": [7]}, {"session_parameters": {"TIMEZONE": "\0"}}],
    ids=lambda setting: next(iter(setting)),
)
def test_setting_that_no_login_can_tell(setting: dict[str, Any]) -> None:
    """A setting that would not arrive as it was given makes no session, and the error names it."""
    with pytest.raises(UnsendableError, match=f"^{next(iter(setting))} "):
        Session(**setting)
