"""The hook logs in: with ordinary connections, and again with new credentials."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    RejectedError,
    UnreachableError,
)
from airflow_provider_cortex.hooks import CortexHook
from tests.driver import DRIVER


def change(**extra: Any) -> None:
    """Change the connection's extra."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    settings["extra"] |= extra
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(settings)


@pytest.mark.parametrize("status", [403, 404])
def test_a_login_to_an_unknown_account_is_a_permanent_error(
    status: int, connection: str, cortex_emulator: Emulator
) -> None:
    """An account that does not exist, or rejects every login, is a permanent error."""
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(RejectedError):
        CortexHook(connection).show()


def test_a_missing_connection_is_named() -> None:
    """The error for a missing connection has the argument's name and the id."""
    with pytest.raises(ConnectionNotFoundError, match=r"'nobody'.*snowflake_conn_id"):
        CortexHook("nobody").show()


def test_an_invalid_connection_is_a_permanent_error(connection: str) -> None:
    """Fields that contradict each other are a permanent error, which names the connection."""
    change(private_key_content="x", private_key_file="y")
    with pytest.raises(RejectedError, match="invalid connection 'snowflake_default': "):
        CortexHook(connection).show()


@pytest.mark.parametrize(
    ("status", "error"), [(400, RejectedError), (401, RejectedError), (404, UnreachableError)]
)
def test_an_oauth_endpoint_s_rejection_is_a_permanent_error(
    status: int, error: type[Exception], connection: str, cortex_emulator: Emulator
) -> None:
    """Credentials that an OAuth endpoint rejects are a permanent error; others are transient."""
    endpoint = f"http://127.0.0.1:{cortex_emulator.port}/oauth/token"
    change(authenticator="oauth", grant_type="client_credentials", token_endpoint=endpoint)
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(error, match=str(status)):
        CortexHook(connection).show()


def test_an_error_holds_no_password(connection: str, cortex_emulator: Emulator) -> None:
    """The error for a rejected login has no password."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(
        settings | {"password": "s3cret-word"}
    )
    cortex_emulator.faults.add("login")
    with pytest.raises(RejectedError, match="Incorrect username or password") as error:
        CortexHook(connection).show()
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "parameters", "error"),
    [("login", {}, RejectedError), ("status", {"status": 503}, UnreachableError)],
)
def test_a_failed_login_names_the_job_to_describe(
    kind: str,
    parameters: dict[str, Any],
    error: type[Exception],
    connection: str,
    cortex_emulator: Emulator,
) -> None:
    """If the login for a DESCRIBE fails, the error names the job as well as the connection."""
    cortex_emulator.faults.add(kind, **parameters)
    with pytest.raises(error, match=r"fine-tuning job ft_1: .*'snowflake_default'"):
        CortexHook(connection).describe("ft_1")


def test_a_rejected_login_is_retried_once(connection: str, cortex_emulator: Emulator) -> None:
    """The password may just have changed: it is looked up once more, and the session opens."""
    cortex_emulator.faults.add("login", requests=1)
    with CortexHook(connection) as hook:
        assert hook.show() == ()
    assert len(cortex_emulator.faults.struck) == 1


@pytest.mark.parametrize("code", [390100, 390144, 390303, 390318, 390102])
def test_a_login_is_tried_at_most_twice(
    code: int, connection: str, cortex_emulator: Emulator
) -> None:
    """Two rejected logins are a permanent error: Snowflake locks a user out after several."""
    cortex_emulator.faults.add("login", code=code, message="Not you.")
    with pytest.raises(RejectedError, match=r"Not you\."):
        CortexHook(connection).show()
    # An older driver itself sends an expired token twice.
    each = 2 if code == 390318 and DRIVER < (4, 8) else 1
    assert len(cortex_emulator.faults.struck) == 2 * each


def test_a_new_session_uses_the_new_password(connection: str, cortex_emulator: Emulator) -> None:
    """A session that ends after a change of password is replaced with the new password."""
    with CortexHook(connection) as hook:
        hook.show()
        cortex_emulator.password = "a-new-password"
        settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(
            settings | {"password": "a-new-password"}
        )
        cortex_emulator.faults.add("expire")
        assert hook.show() == ()
    assert cortex_emulator.faults.struck == []


class Tokens(BaseHTTPRequestHandler):
    """An OAuth endpoint whose first token Snowflake rejects."""

    tokens: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer with the next token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"access_token": self.tokens.pop(0), "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_rejected_oauth_token_is_replaced_once(
    connection: str, cortex_emulator: Emulator
) -> None:
    """An OAuth token that Snowflake rejects is replaced by a new one, once."""
    Tokens.tokens = ["an-old-token", "a-new-token", "another-token"]
    cortex_emulator.token = "a-new-token"
    with HTTPServer(("127.0.0.1", 0), Tokens) as endpoint:
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        change(
            authenticator="oauth",
            grant_type="client_credentials",
            token_endpoint=f"http://127.0.0.1:{endpoint.server_port}/token",
        )
        with CortexHook(connection) as hook:
            assert hook.show() == ()
        endpoint.shutdown()
    assert Tokens.tokens == ["another-token"]


def test_a_login_that_fails_for_another_reason_is_not_retried(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Only rejected credentials are looked up again; other errors wait for the next poll."""
    cortex_emulator.faults.add("status", at="login", status=403)
    with pytest.raises(RejectedError):
        CortexHook(connection).show()
    assert len(cortex_emulator.faults.struck) == 1
