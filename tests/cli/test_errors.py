"""How commands report errors: each in one line, without a traceback."""

import json
import os
import warnings
from collections.abc import Iterator

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.cli.runner import Run

COMMANDS = [("list",), ("describe", "ft_1"), ("watch", "ft_1"), ("cancel", "ft_1", "--yes")]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_missing_connection_is_named(words: tuple[str, ...], run: Run) -> None:
    """A missing connection is reported with its id and what to do."""
    result = run(*words, "--conn-id", "missing")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "Airflow finds no connection 'missing'. Choose another one with --conn-id, or create it"
        " (airflow connections add).\n"
    )


@pytest.fixture
def in_database(connection: str) -> Iterator[str]:
    """Add the connection to Airflow's database, and nowhere else, with another id."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow 2's own warnings
        import_all_models()
    known = Base.metadata.tables
    tables = [known[name] for name in ("team", "connection") if name in known]
    Base.metadata.create_all(settings.engine, tables=tables)
    fields = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    fields["extra"] = json.dumps(fields["extra"])
    with create_session() as session:
        session.add(Connection(conn_id="in_database", **fields))
    yield "in_database"
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="in_database").delete()


def test_connections_in_the_database_are_found(
    run: Run, jobs: dict[str, str], in_database: str
) -> None:
    """A connection that is only in Airflow's database is found, as by Airflow's own commands."""
    result = run("list", "--conn-id", in_database, "-o", "json")
    assert (result.status, len(result.records)) == (0, len(jobs))


@pytest.mark.parametrize("words", COMMANDS)
def test_a_rejected_login_names_the_connection(
    words: tuple[str, ...], run: Run, cortex_emulator: Emulator
) -> None:
    """A rejected login is reported with the connection and Snowflake's message."""
    cortex_emulator.password = "another"
    result = run(*words)
    assert (result.status, result.out) == (1, "")
    (line,) = result.err.splitlines()
    assert "'snowflake_default'" in line
    assert "Incorrect username or password" in line


@pytest.mark.parametrize("command", ["describe", "watch", "cancel"])
def test_an_unknown_job_is_named(command: str, run: Run) -> None:
    """A job that Cortex does not know is reported with its id."""
    result = run(command, "ft_none", *(["--yes"] if command == "cancel" else []))
    assert (result.status, result.out, len(result.err.splitlines())) == (1, "", 1)
    assert "job ft_none" in result.err


def test_an_unreachable_account_is_reported(run: Run, cortex_emulator: Emulator) -> None:
    """An account that does not answer is reported in one line."""
    cortex_emulator.stop()
    result = run("list")
    assert (result.status, result.out, len(result.err.splitlines())) == (1, "", 1)
    assert "could not" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("describe", " "), "argument job_id: must not be empty"),
        (("watch", "a\0b"), "argument job_id: it cannot be sent to Snowflake"),
        (("list", "--conn-id", ""), "argument --conn-id: must not be empty"),
        (("list", "--status", ","), "argument --status: must name at least one status"),
        (("list", "--since", "yesterday"), "argument --since: must be a date or time"),
        (("list", "--output", "xml"), "argument -o/--output: invalid choice: 'xml'"),
        (
            ("watch", "ft_1", "--interval", "0"),
            "argument --interval: must be at least 1 s; got '0'",
        ),
        (("watch", "ft_1", "--interval", "soon"), "must be at least 1 s; got 'soon'"),
        (
            ("watch", "ft_1", "--timeout", "-1"),
            "argument --timeout: must be at least 0 s; got '-1'",
        ),
        (("watch", "ft_1", "--timeout", "nan"), "must be at least 0 s; got 'nan'"),
        (("watch", "ft_1", "--timeout", "inf"), "must be at least 0 s; got 'inf'"),
        ((), "arguments are required: COMMAND"),
    ],
)
def test_invalid_arguments_are_named_before_any_login(
    words: tuple[str, ...], message: str, run: Run, cortex_emulator: Emulator
) -> None:
    """An invalid argument is reported by its name, and Snowflake is not asked."""
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert cortex_emulator.logins == 0
