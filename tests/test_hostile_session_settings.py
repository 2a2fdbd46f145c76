"""Hostile text in a session's settings arrives unchanged at the login."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from tests import hostile_text, login_recorder
from tests.worker import stored

SETTINGS = ("warehouse", "database", "schema", "role", "query_tag")
AT_LOGIN = ("warehouse", "databaseName", "schemaName", "roleName", "QUERY_TAG")
"""The names of SETTINGS in a login request."""


@pytest.fixture
def logins(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[login_recorder.Logins]:
    """Let the default connection lead to a server that records logins."""
    with login_recorder.listening() as logins:
        settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        settings["extra"] |= {"port": logins.port}
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
        yield logins


def log_in(settings: Mapping[str, Any]) -> None:
    """Log in with *settings* that have been in Airflow's database."""
    trigger = CortexFineTuneTrigger(
        finetune_job_id="ft_1",
        session=SessionSettings(**settings).to_dict(),
        started_at=0,
        deadline=1,
    )
    with CortexHook.of(SessionSettings(**stored(trigger).session)) as hook:
        hook.open()


def test_a_login_sends_each_setting_unchanged(logins: login_recorder.Logins) -> None:
    """Each setting of a session arrives at the login as it was given."""
    texts = [text for text in hostile_text.sendable() if text.strip()]
    for text in texts:
        log_in(dict.fromkeys(SETTINGS, text))
    received = [[login[name] for name in AT_LOGIN] for login in logins.settings]
    assert received == [[text] * len(AT_LOGIN) for text in texts]


def test_a_login_sends_each_session_parameter_unchanged(logins: login_recorder.Logins) -> None:
    """So do the names and values of all session parameters; a query tag among them wins."""
    parameters = {text: text for text in hostile_text.sendable()} | {"QUERY_TAG": "mine"}
    log_in({"session_parameters": parameters, "query_tag": "yours"})
    (login,) = logins.settings
    assert {name: login[name] for name in parameters} == parameters
