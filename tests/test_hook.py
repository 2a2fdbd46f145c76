"""The hook: ordinary connections, every call, and errors that say what to do."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from airflow_provider_cortex.cortex.job import JobStatus
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    CompletionError,
    ConnectionNotFoundError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.hooks import CortexHook


@pytest.fixture
def hook(connection: str):
    """Return a hook on the emulator, with twenty questions in a table."""
    with CortexHook(connection) as hook:
        hook.run("CREATE TABLE train (prompt TEXT, completion TEXT)")
        rows = [(f"what is {n} and {n}?", f"it's {2 * n}") for n in range(20)]
        hook.insert_rows("train", rows, executemany=True)
        yield hook


QUERY = "SELECT prompt, completion FROM train"


def change(**extra: Any) -> None:
    """Change the connection's extra."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    settings["extra"] |= extra
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(settings)


@pytest.mark.parametrize(
    ("extra", "account"),
    [
        ({"account": "org-acc"}, "org-acc"),
        ({"account": "xy12345", "region": "eu-west-1"}, "xy12345.eu-west-1"),
        ({"account": "xy12345.eu-west-1", "region": "eu-west-1"}, "xy12345.eu-west-1"),
        ({"account": "", "region": "eu-west-1"}, None),
    ],
)
def test_where_names_belong(
    extra: dict[str, str], account: str | None, connection: str, cortex_emulator: Emulator
) -> None:
    """Account, database and schema are the connection's, or what the task has instead; nobody logs in for it."""
    change(**extra)
    place = CortexHook(connection).place()
    assert (place.account, place.database, place.schema) == (account, "CORTEX_DB", "PUBLIC")
    other = CortexHook(connection, database="D", schema="S").place()
    assert (other.database, other.schema) == ("D", "S")
    with pytest.raises(ConnectionNotFoundError):
        CortexHook("nowhere").place()
    assert cortex_emulator.logins == 0


def test_a_jobs_life(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """Create, describe, show, use: what Cortex made is found under the name Cortex gave it."""
    cortex_emulator.life = Life.by_looks(1)
    job_id = hook.create("it's mine", "llama3.1-8b", QUERY + ";", options={"max_epochs": 2})
    assert job_id.startswith("ft_")
    assert not hook.describe(job_id).is_finished
    job = hook.describe(job_id)
    assert job.status is JobStatus.SUCCESS
    assert job.model
    assert job.model.endswith("it's mine")
    assert job.options == {"max_epochs": 2}
    assert [shown.id for shown in hook.show()] == [job_id]
    assert hook.complete(job.model, "what is 7 and 7?") == "it's 14"


def test_taken_name(hook: CortexHook) -> None:
    """A name that is taken makes another job with another name: only Cortex knows which."""
    jobs = [hook.create("m", "llama3.1-8b", QUERY) for _ in range(2)]
    first, second = [hook.describe(job_id).outcome() for job_id in jobs]
    assert first != second


def test_cancel(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """CANCEL returns Cortex's sentence, and the job is cancelled."""
    cortex_emulator.life = Life.by_looks(9)
    job_id = hook.create("m", "llama3.1-8b", QUERY)
    assert job_id in hook.cancel(job_id)
    assert hook.describe(job_id).status is JobStatus.CANCELLED


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_complete(hook: CortexHook, function: Any) -> None:
    """Text, or an object by a schema, from the new function and from the one being retired."""
    model = hook.describe(hook.create("m", "llama3.1-8b", QUERY)).outcome()
    question = "what is 3 and 3?"
    assert hook.complete(model, question, function=function) == "it's 6"
    cool: Any = {"function": function, "model_parameters": {"temperature": 0}}
    assert hook.complete(model, question, **cool) == "it's 6"
    schema = {"type": "object", "properties": {"sum": {"type": "string"}}}
    answer = hook.complete(
        model, question, response_format={"type": "json", "schema": schema}, **cool
    )
    assert answer == {"sum": "it's 6"}


def test_unknown_model(hook: CortexHook) -> None:
    """A model that does not exist fails with Cortex's message; COMPLETE's number for it is also that of trouble."""
    with pytest.raises(CompletionError, match="unknown model"):
        hook.complete("nobody", "hello?")
    with pytest.raises(UnreachableError, match="unknown model") as error:
        hook.complete("nobody", "hello?", function="COMPLETE")
    assert "running" not in str(error.value)


@pytest.mark.parametrize(
    "value", ["it's", 'say "hi"', "back\\slash", "--", "; DROP TABLE train", "%s", "%(x)s", "ü€😀"]
)
def test_values_arrive_as_they_are(value: str, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """What a value looks like changes nothing in the statement that it is bound into."""
    job = cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=((value, value),))
    assert hook.complete(job.model, value) == value
    with pytest.raises(RejectedError):
        hook.describe(value)


def test_session_arguments(connection: str, cortex_emulator: Emulator) -> None:
    """Arguments replace what the connection says; the tag joins the connection's parameters."""
    change(session_parameters={"TIMEZONE": "UTC"})
    with CortexHook(connection, database="OTHER_DB", schema="S", query_tag="t") as hook:
        assert hook.get_first("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == ("OTHER_DB", "S")
    assert cortex_emulator.statements[-1].query_tag == "t"


def test_own_query_tag(connection: str, cortex_emulator: Emulator) -> None:
    """A tag among the session parameters is the user's word."""
    with CortexHook(connection, query_tag="t", session_parameters={"QUERY_TAG": "mine"}) as hook:
        hook.show()
    assert cortex_emulator.statements[-1].query_tag == "mine"


def test_one_session_until_closed(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A hook keeps its session from call to call, and opens another once it was closed."""
    before = cortex_emulator.logins
    hook.show()
    hook.show()
    assert cortex_emulator.logins == before + 1
    hook.close()
    hook.close()
    hook.show()
    assert cortex_emulator.logins == before + 2


def test_lost_session(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A session that Snowflake ended is replaced at once, and what only reads is asked again in it."""
    hook.show()
    before = cortex_emulator.logins
    cortex_emulator.faults.add("expire")
    assert hook.show() == ()
    assert cortex_emulator.logins == before + 1


def test_lost_session_orders_nothing_twice(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """What changes something is not sent again by itself: it may have been done before the session ended."""
    hook.show()
    cortex_emulator.faults.add("expire")
    with pytest.raises(UnreachableError):
        hook.create("m", "llama3.1-8b", "SELECT prompt, completion FROM train")
    assert hook.show() == ()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_overload_passes(status: int, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """An overloaded Snowflake is trouble that passes, told with the connection's id."""
    hook.show()
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(UnreachableError, match="'snowflake_default'"):
        hook.show()
    cortex_emulator.faults.clear()
    assert hook.show() == ()


@pytest.mark.parametrize("status", [403, 404])
def test_closed_doors_stay_closed(status: int, connection: str, cortex_emulator: Emulator) -> None:
    """An account that does not exist, or lets nobody in, is a refusal."""
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(RejectedError):
        CortexHook(connection).show()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_proxy_passes(status: int, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """The same status in the middle of a session is somebody in between, and passes."""
    hook.show()
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(UnreachableError):
        hook.show()


def test_no_privilege(connection: str, cortex_emulator: Emulator) -> None:
    """A role without Cortex is refused: Snowflake says that there is no such function."""
    cortex_emulator.has_cortex_user_role = False
    with CortexHook(connection) as hook, pytest.raises(RejectedError, match="FINETUNE"):
        hook.describe("ft_1")


def test_no_connection() -> None:
    """A connection that does not exist is told by the argument's name and the id."""
    with pytest.raises(ConnectionNotFoundError, match=r"'nobody'.*snowflake_conn_id"):
        CortexHook("nobody").show()


def test_unusable_connection(connection: str) -> None:
    """Fields that do not go together are told, with the connection's id."""
    change(private_key_content="x", private_key_file="y")
    with pytest.raises(RejectedError, match="'snowflake_default' is of no use"):
        CortexHook(connection).show()


@pytest.mark.parametrize(
    ("status", "error"), [(400, RejectedError), (401, RejectedError), (404, UnreachableError)]
)
def test_oauth(
    status: int, error: type[Exception], connection: str, cortex_emulator: Emulator
) -> None:
    """Credentials that an OAuth endpoint turns down are a refusal; other trouble with it passes."""
    endpoint = f"http://127.0.0.1:{cortex_emulator.port}/oauth/token"
    change(authenticator="oauth", grant_type="client_credentials", token_endpoint=endpoint)
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(error, match=str(status)):
        CortexHook(connection).show()


def test_emulator_not_running(connection: str, cortex_emulator: Emulator) -> None:
    """Where nobody listens on this machine, the error asks after the emulator."""
    cortex_emulator.stop()
    began = time.monotonic()
    with pytest.raises(UnreachableError) as error:
        CortexHook(connection).show()
    assert str(cortex_emulator.port) in str(error.value)
    assert "python -m airflow_provider_cortex.emulator" in str(error.value)
    assert time.monotonic() - began < 30


def test_no_secret_in_errors(connection: str, cortex_emulator: Emulator) -> None:
    """A rejected login is told without the password."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(
        settings | {"password": "s3cret-word"}
    )
    cortex_emulator.faults.add("login")
    with pytest.raises(RejectedError, match="Incorrect username or password") as error:
        CortexHook(connection).show()
    assert "s3cret" not in str(error.value)


def test_a_login_that_is_refused_is_tried_once_more(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Credentials may just have been replaced: they are looked up once more, and the session opens."""
    cortex_emulator.faults.add("login", requests=1)
    with CortexHook(connection) as hook:
        assert hook.show() == ()
    assert len(cortex_emulator.faults.struck) == 1


@pytest.mark.parametrize("code", [390100, 390144, 390303, 390318, 390102])
def test_a_login_is_tried_twice_at_the_most(
    code: int, connection: str, cortex_emulator: Emulator
) -> None:
    """Credentials that are turned down twice are a refusal: Snowflake locks out who tries on and on."""
    cortex_emulator.faults.add("login", code=code, message="Not you.")
    with pytest.raises(RejectedError, match=r"Not you\."):
        CortexHook(connection).show()
    assert len(cortex_emulator.faults.struck) == 2


def test_a_rotated_password(connection: str, cortex_emulator: Emulator) -> None:
    """A session that ends after the password was changed is replaced with the new one."""
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
    """An OAuth endpoint, whose first token is worth nothing."""

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
        """Keep quiet."""


def test_a_new_oauth_token(connection: str, cortex_emulator: Emulator) -> None:
    """An OAuth token that Snowflake does not take is replaced by a new one, once."""
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


def test_a_token_that_expires_in_a_session(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A session whose token Snowflake finds expired is replaced like one that has ended."""
    hook.show()
    before = cortex_emulator.logins
    cortex_emulator.faults.add("error", code=390318, sqlstate="08001", requests=1)
    assert hook.show() == ()
    assert cortex_emulator.logins == before + 1


def test_a_login_that_is_refused_for_another_reason_is_not_repeated(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Only credentials are looked up again: an overloaded Snowflake is left alone until the next look."""
    cortex_emulator.faults.add("status", at="login", status=403)
    with pytest.raises(RejectedError):
        CortexHook(connection).show()
    assert len(cortex_emulator.faults.struck) == 1


@pytest.mark.parametrize("answer", [None, "", "{}", "[]"])
def test_unreadable_describe(
    answer: str | None, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """An answer that says nothing about the job is no description of it."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, answer)
    with pytest.raises(UnreadableAnswerError):
        hook.describe(job.id)


def test_a_session_after_a_network_error_is_a_new_one(
    connection: str, cortex_emulator: Emulator
) -> None:
    """A call that the network has lost closes its session, which may be the reason: the next one logs in."""
    with CortexHook(connection) as hook:
        hook.show()
        cortex_emulator.faults.add("reset", at="statement", requests=1)
        with pytest.raises(UnreachableError):
            hook.show()
        assert not hook.is_open
        assert cortex_emulator.open_sessions == 0
        assert hook.show() == ()
        assert cortex_emulator.logins == 2
        assert cortex_emulator.open_sessions == 1


def test_a_session_after_an_answer_that_cannot_be_read_goes_on(
    connection: str, cortex_emulator: Emulator
) -> None:
    """An answer that nobody can read came over a session that works: it is kept."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.faults.add("unreadable", requests=1)
    with CortexHook(connection) as hook:
        with pytest.raises(UnreadableAnswerError):
            hook.describe(job.id)
        assert hook.describe(job.id).is_finished
    assert cortex_emulator.logins == 1
