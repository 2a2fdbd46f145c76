"""``make live`` as its user meets it: consent, Ctrl-C, clean-up, and the report."""

import json
import os

import pytest

from airflow_provider_cortex.emulator import Life
from tests.live.runs import tables


def statuses(emulator):
    """Return the statuses of all jobs."""
    return [state.status.value for _, state in emulator.jobs.all()]


def interrupt(_seconds):
    """Be interrupted by Ctrl-C while waiting for the next poll."""
    raise KeyboardInterrupt


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that makes stdin a terminal, into which a user has typed a text."""
    keyboard, screen = os.openpty()
    with os.fdopen(keyboard, "wb", buffering=0) as typed, os.fdopen(screen) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield lambda text: typed.write(text.encode())


def test_without_a_terminal_nothing_happens(live, cortex_emulator):
    """Without a terminal and without --yes the command says what it would do, and refuses."""
    result = live()
    assert (result.status, result.verdicts, cortex_emulator.logins) == (1, {}, 0)
    assert "database CORTEX_DB, schema PUBLIC, warehouse CORTEX_WH" in result.progress
    assert "one training job" in result.progress
    assert "Agree with --yes" in result.progress


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_a_user_who_does_not_agree_pays_nothing(live, cortex_emulator, terminal, typed):
    """Any answer but yes ends the command before it logs in."""
    terminal(typed)
    assert live().status == 1
    assert cortex_emulator.logins == 0


def test_a_user_who_agrees_gets_a_report(live, terminal):
    """After "y" the checks run."""
    terminal("y\n")
    result = live("action-case")
    assert result.verdicts == {"action-case": "confirmed"}
    assert result.status == 0


def test_a_connection_without_a_schema_is_rejected_before_the_question(
    live, cortex_emulator, monkeypatch
):
    """The command says where it would create things, or what is missing to know it."""
    connection = json.loads(cortex_emulator.airflow_connection) | {"schema": ""}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
    result = live()
    assert (result.status, cortex_emulator.logins) == (1, 0)
    assert "names a schema" in result.progress


def test_a_rejected_login_is_tried_once(live, cortex_emulator):
    """Many rejected logins would lock the user out."""
    cortex_emulator.password = "another one"
    result = live("--yes")
    assert (result.status, cortex_emulator.refused_logins) == (1, 1)
    assert "Incorrect username or password" in result.progress


def test_ctrl_c_cancels_and_removes(live, cortex_emulator):
    """Ctrl-C ends the run: its job is cancelled, its table dropped, and the report printed."""
    cortex_emulator.life = Life.by_looks(1000)
    result = live("--yes", "action-case", "own-comment", "model-listed", sleep=interrupt)
    assert result.status == 130
    assert statuses(cortex_emulator) == ["CANCELLED"]
    assert tables(cortex_emulator) == []
    assert result.verdicts == {
        "action-case": "confirmed",
        "own-comment": "confirmed",
        "model-listed": "could not tell",
    }
    assert "interrupted before its check" in result.entry("model-listed")


def test_a_failed_check_does_not_end_the_run(live, cortex_emulator):
    """A check that raises could not tell; the others run, and the end is clean."""
    cortex_emulator.faults.add("unreadable", requests=1)
    result = live("--yes", "own-comment", "many-calls")
    assert result.verdicts == {"own-comment": "could not tell", "many-calls": "confirmed"}
    assert "cannot read Cortex's answer" in result.entry("own-comment")
    assert tables(cortex_emulator) == []


def test_the_wait_survives_a_transient_error(live, cortex_emulator):
    """The job trains, and costs, whether or not Snowflake answers a poll."""
    cortex_emulator.faults.add("error", at="describe", requests=1)
    result = live("--yes", "model-listed")
    assert result.verdicts == {"model-listed": "confirmed"}
    assert "could not describe fine-tuning job" in result.progress


def test_a_job_that_never_ends_is_cancelled(live, cortex_emulator, monkeypatch):
    """A run does not wait for ever."""
    monkeypatch.setattr("live.account.MAX_POLLS", 3)
    cortex_emulator.life = Life.by_looks(1000)
    result = live("--yes", "model-listed")
    assert "has not finished after 3 polls" in result.entry("model-listed")
    assert statuses(cortex_emulator) == ["CANCELLED"]


def test_a_job_whose_start_got_no_answer_is_cancelled(live, cortex_emulator):
    """CREATE may have started a job although its answer was lost. It must not go on and cost."""
    # The third statement: after the session's names, and the table.
    cortex_emulator.faults.add("reset", share=1 / 3, requests=1)
    result = live("--yes", "null-validation")
    assert result.verdicts == {"null-validation": "could not tell"}
    assert statuses(cortex_emulator) == ["CANCELLED"]
    assert tables(cortex_emulator) == []


def test_what_cannot_be_removed_is_named(live, cortex_emulator):
    """If the clean-up fails, the user gets the SQL for it."""

    def lose_the_account(_seconds):
        cortex_emulator.faults.add("error", message="Out of order")
        raise KeyboardInterrupt

    result = live("--yes", "model-listed", sleep=lose_the_account)
    ((job, _),) = cortex_emulator.jobs.all()
    name = job.model.rpartition(".")[2]
    assert result.status == 130
    assert "Run this in database CORTEX_DB, schema PUBLIC" in result.progress
    assert f"  SELECT SNOWFLAKE.CORTEX.FINETUNE('CANCEL', '{job.id}');" in result.progress
    assert f"  DROP MODEL IF EXISTS {name};" in result.progress
    assert f"  DROP TABLE IF EXISTS {name}_DATA;" in result.progress


def test_the_report_names_nobody(live, cortex_emulator, monkeypatch):
    """The report is for a public bug report: it has no name or secret of the connection."""
    connection = json.loads(cortex_emulator.airflow_connection)
    connection |= {"login": "ann@example.org", "password": "pass-Word/1"}
    connection["extra"] |= {"account": "acme-prod", "role": "TUNERS"}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
    message = (
        "ANN@EXAMPLE.ORG with pass-Word/1 as Tuners of acme-prod.snowflakecomputing.com, 10.1.2.3,"
        " reads CORTEX_DB.PUBLIC, and account acme-prod"
    )
    cortex_emulator.faults.add("error", message=message, share=0.5, requests=1)
    entry = live("--yes", "unknown-job-error").entry("unknown-job-error")
    assert (
        "<user> with <password> as <role> of <host>, <address>, reads <database>.<schema>, and"
        " account <account>" in entry
    )


def test_an_unknown_guess_is_wrong_usage(live, capsys):
    """A misspelled id must not mean that nothing is checked."""
    with pytest.raises(SystemExit, match="2"):
        live("--yes", "no-such-guess")
    assert "there is no guess 'no-such-guess'" in capsys.readouterr().err
