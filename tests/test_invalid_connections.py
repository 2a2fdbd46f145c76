"""An invalid connection fails at once, by name; only transient errors are retried."""

import errno
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from snowflake.connector.time_util import TimeoutBackoffCtx

from airflow_provider_cortex.cortex.error_codes import may_pass, unreadable_file
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    InvalidConnectionError,
    RejectedError,
    UnreachableError,
)
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from tests.clock import Clock
from tests.driver import DRIVER
from tests.worker import MODES, Result, Worker, fire, in_mode

CONNECTION = "AIRFLOW_CONN_SNOWFLAKE_DEFAULT"


@pytest.fixture
def change(connection: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what changes the connection's extra."""

    def change(**extra: Any) -> None:
        settings = json.loads(os.environ[CONNECTION])
        settings["extra"] |= extra
        monkeypatch.setenv(CONNECTION, json.dumps(settings))

    return change


def wait(worker: Worker, mode: str, job_id: str) -> Result:
    return worker.run(
        lambda: CortexFineTuneSensor(task_id="wait", finetune_job_id=job_id, **in_mode(mode))
    )


PEM = f"-----BEGIN PRIVATE KEY-----\n{'MIIEvAIBADANBgkq' * 100}\n-----END PRIVATE KEY-----"

INVALID: dict[str, dict[str, Any]] = {
    "session parameters that are not JSON": {"session_parameters": "TIMEZONE=UTC"},
    "session parameters in a list": {"session_parameters": '["TIMEZONE"]'},
    "a list of session parameters": {"session_parameters": ["TIMEZONE"]},
    "a login timeout in words": {"login_timeout": "a minute"},
    "a negative network timeout": {"network_timeout": -1},
    "a socket timeout that is not a number": {"socket_timeout": "nan"},
    "a timeout that is a bool": {"network_timeout": True},
    "a port in words": {"port": "https"},
    "a protocol that is a number": {"protocol": 5},
    "a host that is a number": {"host": 5},
    "an authenticator that is a number": {"authenticator": 5},
    "an unknown authenticator": {"authenticator": "nonsense"},
    "an invalid private key": {"private_key_content": "x"},
    "two private keys": {"private_key_content": "x", "private_key_file": "y"},
    "a private key in the field for its file": {"private_key_file": PEM},
}


@pytest.mark.parametrize("field", INVALID)
def test_an_invalid_connection_fails_at_the_first_poll(
    field: str, change: Any, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A field that no driver accepts fails the task without a retry, and names the connection."""
    job = cortex_emulator.jobs.add(model="m")
    change(**INVALID[field])
    for mode in MODES:
        result = wait(worker, mode, job.id)
        assert (result.state, result.deferrals) == ("failed", 0), result
        assert "'snowflake_default'" in str(result.error)
        assert "emulator" not in str(result.error)
        assert "contact" not in str(result.error)
    assert cortex_emulator.statements == []


def pem(encryption: serialization.KeySerializationEncryption) -> bytes:
    """Return a private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


KEY_FILES: dict[str, Callable[[Path], object]] = {
    "does not exist": lambda _: None,
    "is a directory": lambda path: path.mkdir(),
    "is a loop of links": lambda path: path.symlink_to(path),
    "is empty": lambda path: path.touch(),
    "is no key": lambda path: path.write_text("x"),
    "has another passphrase": lambda path: path.write_bytes(
        pem(serialization.BestAvailableEncryption(b"another"))
    ),
    "is not encrypted, though there is a passphrase": lambda path: path.write_bytes(
        pem(serialization.NoEncryption())
    ),
    "is larger than a key": lambda path: path.write_bytes(b"x" * 5000),
}


@pytest.mark.parametrize("which", KEY_FILES)
def test_a_key_file_that_cannot_be_used_is_an_invalid_connection(
    which: str, change: Any, cortex_emulator: Emulator, tmp_path: Path
) -> None:
    """Snowflake has rejected nothing, and nothing is sent: the connection has to be corrected."""
    path = tmp_path / "key.p8"
    KEY_FILES[which](path)
    change(private_key_file=str(path))
    with pytest.raises(InvalidConnectionError, match="invalid connection 'snowflake_default'"):
        CortexHook().show()
    assert cortex_emulator.logins == cortex_emulator.refused_logins == 0


def test_a_file_without_permission_is_an_invalid_connection() -> None:
    """The operating system's error says so; a full disk or too many open files may pass."""
    permanent = (errno.EACCES, errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG)
    assert all(unreadable_file(OSError(number, "why", "key.p8")) == "why" for number in permanent)
    transient = (errno.EMFILE, errno.EIO, errno.ENOSPC)
    assert not any(unreadable_file(OSError(number, "why", "key.p8")) for number in transient)
    assert unreadable_file(PermissionError(errno.EACCES, "a firewall")) is None


@pytest.mark.parametrize(
    "missing", [{"account": ""}, {"account": None, "host": None}], ids=["empty", "neither"]
)
def test_a_connection_without_an_account_is_invalid(
    missing: dict[str, Any], change: Any, cortex_emulator: Emulator
) -> None:
    """A field that is missing is no rejected login."""
    change(**missing)
    with pytest.raises(InvalidConnectionError, match="Account must be specified"):
        CortexHook().show()
    assert cortex_emulator.refused_logins == 0


def test_an_extra_that_is_no_json_is_an_error_of_the_connection(
    connection: str, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Airflow 3.2 on, the account is missing; earlier ones find no such connection."""
    settings = json.loads(os.environ[CONNECTION])
    monkeypatch.setenv(CONNECTION, json.dumps(settings | {"extra": "{not JSON"}))
    kinds = InvalidConnectionError, ConnectionNotFoundError
    with pytest.raises(kinds, match="'snowflake_default'"):
        CortexHook().show()


def test_a_pasted_key_is_not_shown(change: Any) -> None:
    """A key in the field for its file's path is in neither the error nor its causes."""
    change(private_key_file=PEM)
    with pytest.raises(InvalidConnectionError) as raised:
        CortexHook().show()
    shown = "".join(traceback.format_exception(raised.value))
    assert "'snowflake_default'" in shown
    assert "MIIEvAIBADANBgkq" not in shown


@pytest.mark.parametrize("name", ["session_parameters", "login_timeout"])
def test_the_error_names_the_invalid_field(name: str, change: Any) -> None:
    """Where it is known, the error names the field, and what it must be."""
    change(**{name: "x"})
    with pytest.raises(RejectedError, match=f"connection 'snowflake_default'.*{name} .*'?x?'?"):
        CortexHook().show()


def test_a_connection_that_becomes_invalid_fails_a_deferred_task_at_once(
    change: Any, cortex_emulator: Emulator
) -> None:
    """A connection that becomes invalid while a task is deferred fails it at the next poll."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    now = time.time()
    trigger = CortexFineTuneTrigger(
        finetune_job_id=job.id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=now,
        deadline=now + 7200,
    )
    clock = Clock()
    change(port="https")
    event: Any = fire(trigger, clock)
    assert len(clock.slept) == 1, clock.slept
    assert event["kind"] == "rejected"
    assert "'snowflake_default'" in event["reason"]


def test_session_parameters_and_timeouts_may_be_text(
    change: Any, cortex_emulator: Emulator
) -> None:
    """Session parameters may be JSON text, and timeouts text."""
    change(
        session_parameters=json.dumps({"TIMEZONE": "UTC", "QUERY_TAG": "mine"}),
        login_timeout="5",
        network_timeout="5",
        socket_timeout="5.0",
    )
    with CortexHook(query_tag="yours") as hook:
        assert hook.show() == ()
    assert cortex_emulator.statements[-1].query_tag == "mine"


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_may_be_a_uri(
    mode: str,
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that is written as a URI has text in every field of its extra."""
    settings = json.loads(os.environ[CONNECTION])
    extra = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings["extra"].items()
    }
    extra["session_parameters"] = '{"TIMEZONE": "UTC"}'
    login = f"{quote(settings['login'])}:{quote(settings['password'])}"
    monkeypatch.setenv(CONNECTION, f"snowflake://{login}@/PUBLIC?{urlencode(extra)}")
    job = cortex_emulator.jobs.add(model="DB.S.M")
    result = wait(worker, mode, job.id)
    assert (result.state, result.xcoms.get("return_value")) == ("success", "DB.S.M"), result


LOGIN = {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": [], "sessionInfo": {}}
WITHOUT_CODE = '{"success": false, "code": null, "message": "m", "data": null}'

ODD = [
    "<html>captive portal</html>",
    *("[]", "{}", '"ok"', '{"success": true}', '{"success": true, "data": "x"}'),
    WITHOUT_CODE,
    '{"success": true, "data": {"parameters": [1]}}',
]


class Proxy(BaseHTTPRequestHandler):
    """A proxy that answers in Snowflake's place."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    answers: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        """Answer a login or a statement."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = self.answers["login" if "login-request" in self.path else "statement"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def proxy(login: str, statement: str) -> Iterator[int]:
    """Listen, and return the port."""
    Proxy.answers = {"login": login, "statement": statement}
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", ODD, ids=repr)
@pytest.mark.parametrize("at", ["login", "statement"])
def test_a_proxy_s_answer_is_a_transient_error(
    at: str, answer: str, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is not Snowflake's is transient, wherever the driver fails at it."""
    if (at, answer) == ("login", WITHOUT_CODE) and DRIVER < (4, 8):
        pytest.skip("for an older driver it is a rejected login")
    monkeypatch.setattr(TimeoutBackoffCtx, "should_retry", False)
    login = json.dumps({"success": True, "data": LOGIN})
    answers = {"login": login, "statement": login} | {at: answer}
    with proxy(**answers) as port:
        change(port=port)
        with CortexHook() as hook, pytest.raises(UnreachableError):
            hook.show()


def test_errors_of_the_system_are_transient_and_bugs_are_not() -> None:
    """A bug stays; what the system or another library raises may be gone in a minute."""
    bugs = TypeError(), ValueError(), AttributeError(), KeyError(), ImportError()
    assert not any(map(may_pass, bugs))
    transient = OSError(), TimeoutError(), RuntimeError("can't start new thread"), MemoryError()
    assert all(map(may_pass, transient))


def test_an_invalid_connection_starts_no_job(
    change: Any, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The same is true for the other tasks of this package."""
    change(session_parameters="x")
    result = worker.run(
        lambda: CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data="SELECT 1"
        )
    )
    assert result.state == "failed"
    assert "session_parameters" in str(result.error)
    assert cortex_emulator.logins == 0
