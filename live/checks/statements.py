"""Checks with single statements, which create nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import RejectedError
from airflow_provider_cortex.hooks import CortexHook
from live.account import BASE_MODEL, WAIT_SECONDS, Account
from live.check import check
from live.finding import CannotTellError, Finding, verdict
from live.sql_error import SqlError, answer, error_of, error_of_sql

FINETUNE = "SELECT SNOWFLAKE.CORTEX.FINETUNE"

CANCELLED = 604
SESSION_GONE = 390111

OTHER_JOBS = 10
"""How many jobs of others are described, the newest."""


@check("action-case")
def action_case(account: Account) -> Finding:
    """Call FINETUNE with the action `show`."""
    error = error_of_sql(account, f"{FINETUNE}('show')")
    return verdict(f"FINETUNE('show'): {answer(error)}", is_right=error is None)


@check("unknown-job-error")
def unknown_job_error(account: Account) -> Finding:
    """Describe a job that does not exist."""
    return _errors(account, {f"{FINETUNE}('DESCRIBE', 'ft_{uuid.uuid4()}')": (2003, "02000")})


@check("error-wording")
def error_wording(account: Account) -> Finding:
    """Call FINETUNE with an unknown action and without an argument, and drop a missing model."""
    return _errors(
        account,
        {
            f"{FINETUNE}('NO_SUCH_ACTION')": (1008, "22023"),
            f"{FINETUNE}('DESCRIBE')": (1044, "42P13"),
            f"DROP MODEL {account.model}_MISSING": (2003, "02000"),
        },
    )


@check("drop-model-text")
def drop_model_text(account: Account) -> Finding:
    """Drop a missing model with IF EXISTS."""
    name = f"{account.model}_MISSING"
    call = Call(f"DROP MODEL IF EXISTS {name}", ())
    sentence = account.hook.sentence(call, about="drop a missing model")
    expected = f"Drop statement executed successfully ({name} already dropped)."
    return verdict(sentence, is_right=sentence == expected)


@check("null-prompt")
def null_prompt(account: Account) -> Finding:
    """Call COMPLETE with a prompt that is NULL."""
    call = Call(f"SELECT SNOWFLAKE.CORTEX.COMPLETE('{BASE_MODEL}', NULL)", ())
    cells: list[object] = []
    error = error_of(
        lambda: cells.extend(account.hook.row(call, width=1, about="complete nothing"))
    )
    facts = answer(error) if error else f"COMPLETE returned {cells[0]!r}"
    return verdict(facts, is_right=cells == [None])


@check("cancel-ended-query")
def cancel_ended_query(account: Account) -> Finding:
    """Cancel a statement that has ended."""
    account.hook.run_once(Call("SELECT 1", ()), about="run a statement")
    query_id = str(account.hook.last_query_id)
    sentences: list[str] = []
    error = error_of(lambda: sentences.append(account.hook.cancel_query(query_id)))
    expected = ["Identified SQL statement is not currently executing."]
    return verdict(str(error or sentences[0]), is_right=sentences == expected)


@check("aborted-query")
def aborted_query(account: Account) -> Finding:
    """Read the status of a statement that was cancelled."""
    status = account.hook.execution(account.cancelled_query()).status
    return verdict(f"its status is {status}", is_right=status == "ABORTED")


@check("statement-listed")
def statement_listed(account: Account) -> Finding:
    """Start a statement that only waits, search the query history for it, and cancel it."""
    call = Call(f"CALL SYSTEM$WAIT({WAIT_SECONDS})", ())
    query_id = account.hook.submit(call, about="start a statement")
    try:
        found = account.hook.statements_with("SYSTEM$WAIT")
    finally:
        account.hook.cancel_query(query_id)
    own = [each for each in found if each.query_id == query_id]
    facts = f"its status is {own[0].status}" if own else "the history does not list it"
    return verdict(facts, is_right=any(each.is_running for each in own))


@check("server-errors")
def server_errors(account: Account) -> Finding:
    """Cancel a statement, and read a missing table. The other errors cannot be provoked."""
    query_id = account.cancelled_query()
    cancelled = error_of(
        lambda: account.hook.in_session(
            lambda session: session.get_query_status_throw_if_error(query_id),
            about="read the error of a cancelled statement",
        )
    )
    missing = error_of_sql(account, f"SELECT * FROM {account.model}_MISSING")  # noqa: S608 - our name
    facts = f"a cancelled statement: {answer(cancelled)}; a missing table: {answer(missing)}"
    is_right = (
        cancelled is not None
        and cancelled.number == CANCELLED
        and missing is not None
        and (missing.state or "")[:2] in {"02", "42"}
    )
    return verdict(facts, is_right=is_right)


@check("session-gone")
def session_gone(account: Account) -> Finding:
    """Abort a second session, and send a statement in it."""
    with CortexHook(account.hook.get_conn_id()) as other:
        session_id = other.in_session(lambda session: session.session_id, about="log in")
        abort = Call(f"SELECT SYSTEM$ABORT_SESSION({session_id})", ())
        rejection = error_of(lambda: account.hook.run_once(abort, about="abort a session"))
        if rejection:
            raise CannotTellError(f"SYSTEM$ABORT_SESSION: {rejection}")
        error = error_of(lambda: other.run_once(Call("SELECT 1", ()), about="use it"))
    facts = f"a statement in an aborted session: {answer(error)}"
    return verdict(facts, is_right=error is not None and error.number == SESSION_GONE)


@check("other-jobs")
def other_jobs(account: Account) -> Finding:
    """Describe up to 10 other jobs that SHOW lists."""
    others = [
        job.id for job in account.hook.show(skip_unreadable=True) if not account.is_own(job.id)
    ]
    if not others:
        raise CannotTellError("SHOW lists no other job")
    outcomes = account.hook.jobs().describe(*others[:OTHER_JOBS])
    rejected = [error for error in outcomes.values() if isinstance(error, RejectedError)]
    described = sum(isinstance(outcome, FineTuneJob) for outcome in outcomes.values())
    facts = f"{described} of {len(outcomes)} other jobs were described"
    if rejected:
        facts += f", {len(rejected)} rejected: {rejected[0].snowflake_message}"
    elif described < len(outcomes):
        raise CannotTellError(facts)
    return verdict(facts, is_right=not rejected)


def _errors(account: Account, expected: Mapping[str, tuple[int, str]]) -> Finding:
    """Return whether statements are rejected with these numbers and SQL states."""
    errors: dict[str, SqlError | None] = {sql: error_of_sql(account, sql) for sql in expected}
    facts = "; ".join(f"{sql}: {answer(error)}" for sql, error in errors.items())
    is_right = all(
        error is not None and (error.number, error.state) == expected[sql]
        for sql, error in errors.items()
    )
    return verdict(facts, is_right=is_right)
