"""Settings that a DAG file or a library makes for the whole process change nothing here."""

import contextlib
import json
import locale
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests import login_recorder
from tests.worker import MODES, Worker, in_mode

pytestmark = pytest.mark.slow

QUERY = "SELECT 'it''s 5 o''clock' AS prompt, 'tea %s' AS completion"


@contextlib.contextmanager
def paramstyle(style: str) -> Iterator[None]:
    before = snowflake.connector.paramstyle
    snowflake.connector.paramstyle = style
    try:
        yield
    finally:
        snowflake.connector.paramstyle = before


@contextlib.contextmanager
def driver_default(name: str, value: object) -> Iterator[None]:
    defaults = snowflake.connector.connection.DEFAULT_CONFIGURATION
    before = defaults[name]
    defaults[name] = (value, before[1])
    try:
        yield
    finally:
        defaults[name] = before


@contextlib.contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(None)


@contextlib.contextmanager
def time_zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


@contextlib.contextmanager
def number_locale() -> Iterator[None]:
    """Write numbers in another way than Python does, if this machine has such a locale."""
    before = locale.setlocale(locale.LC_ALL)
    for name in "de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8":
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, name)
            break
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@contextlib.contextmanager
def json_encoder() -> Iterator[None]:
    """Let json.dumps() write any object as text, as some libraries do."""
    before = json.JSONEncoder.default
    json.JSONEncoder.default = lambda _, value: str(value)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        json.JSONEncoder.default = before  # type: ignore[method-assign]


@contextlib.contextmanager
def strict_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


SETTINGS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "paramstyle qmark": lambda: paramstyle("qmark"),
    "paramstyle numeric": lambda: paramstyle("numeric"),
    "paramstyle format": lambda: paramstyle("format"),
    "the driver's default paramstyle": lambda: driver_default("paramstyle", "qmark"),
    "the driver's default autocommit": lambda: driver_default("autocommit", False),
    "socket.setdefaulttimeout": lambda: socket_timeout(0.01),
    "TZ": lambda: time_zone("Asia/Kathmandu"),
    "locale": number_locale,
    "json.JSONEncoder": json_encoder,
    "warnings": strict_warnings,
}


@pytest.fixture(params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> Iterator[str]:
    """Change one setting of the process."""
    with SETTINGS[request.param]():
        yield request.param


@pytest.fixture
def slow(cortex_emulator: Emulator, connection: str, setting: str) -> None:
    """Let Snowflake take longer for an answer than the default socket timeout."""
    if setting == "socket.setdefaulttimeout":
        cortex_emulator.statement_delay = cortex_emulator.login_delay = 0.03


@pytest.mark.parametrize("mode", MODES)
def test_a_wait_ends_with_the_model(
    mode: str, setting: str, slow: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A wait of several polls ends with the job's model, in every mode."""
    job = cortex_emulator.jobs.add(model="DB.S.LIGHTS", life=Life.by_looks(2))
    arguments = in_mode(mode) | ({"poke_interval": 0} if mode == "poke" else {})
    result = worker.run(
        lambda: CortexFineTuneSensor(task_id="wait", finetune_job_id=job.id, **arguments)
    )
    assert (result.state, result.xcoms["return_value"]) == ("success", "DB.S.LIGHTS")


def test_a_job_is_started_once_and_can_be_cancelled(
    setting: str, slow: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A job gets its data unchanged, is reused by a retry, and can be cancelled."""
    cortex_emulator.life = Life.by_time(3600)

    def run(task: Callable[[], Any], **facts: Any) -> Any:
        result = worker.run(task, **facts)
        assert result.state == "success", result
        return result

    def start() -> CortexFineTuneOperator:
        return CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data=QUERY
        )

    first = run(start, store=None)
    run(start, again=first)
    ((job, _state),) = cortex_emulator.jobs.all()
    assert job.training_data.startswith(QUERY)
    stop = CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job.id)
    assert run(lambda: stop).xcoms["return_value"] == "CANCELLED"


def test_a_model_answers_a_prompt_and_a_table(
    setting: str, slow: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model answers a prompt and a table."""
    pairs = (("100 %s?", "yes?"),)
    job = cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.M", pairs=pairs)
    ask = worker.run(
        lambda: CortexCompleteOperator(task_id="ask", model=job.model, prompt="100 %s?")
    )
    assert ask.xcoms["return_value"] == "yes?"
    answer = worker.run(
        lambda: CortexCompleteTableOperator(
            task_id="answer",
            model=job.model,
            source="SELECT '100 %s?' AS body",
            destination="answers",
            prompt_column="body",
            deferrable=False,
            poke_interval=0.01,
        )
    )
    assert answer.state == "success", answer
    with CortexHook() as hook:
        assert hook.namespace().database == "CORTEX_DB"
        assert hook.columns("answers", "SELECT * FROM answers") == ("BODY", "ANSWER", "ERROR")


def test_a_user_s_own_session_follows_the_process(connection: str) -> None:
    """A session that a user opens with the hook follows the settings of the process."""
    with paramstyle("qmark"), contextlib.closing(CortexHook().get_conn()) as session:
        cursor = session.cursor()
        cursor.execute("SELECT ? || ?", ("a", "b"))
        assert cursor.fetchall() == [("ab",)]


def test_each_statement_is_committed(connection: str) -> None:
    """Each statement is committed, whatever AUTOCOMMIT the user or the connection sets."""
    with login_recorder.listening() as logins:
        settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        settings["extra"] |= {
            "port": logins.port,
            "session_parameters": {"AUTOCOMMIT": False, "TIMEZONE": "UTC"},
        }
        os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(settings)
        with CortexHook() as hook:
            hook.open()
    (login,) = logins.settings
    assert (login["AUTOCOMMIT"], login["TIMEZONE"]) == (True, "UTC")
