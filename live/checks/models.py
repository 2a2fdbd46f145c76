"""Checks with the trained model: they wait until its job has finished."""

from __future__ import annotations

import json
import math
from typing import Any

from airflow_provider_cortex.cortex.job import JobStatus
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.cortex.training_data_report import Report
from airflow_provider_cortex.cortex.training_data_sql import TRAINING, DataCheck
from airflow_provider_cortex.errors import CompletionError
from airflow_provider_cortex.safe_text import excerpt
from airflow_provider_cortex.tasks.training_queries import measure
from live.account import BASE_MODEL, EPOCHS, Account
from live.check import check
from live.finding import CannotTellError, Finding, verdict
from live.sql_error import error_of


@check("unknown-status")
def unknown_status(account: Account) -> Finding:
    """Watch the statuses of the training job, one poll each minute."""
    account.trained_job()
    unknown = {job.reported_status for job in account.polled if job.status is JobStatus.UNKNOWN}
    known = sorted({job.status for job in account.polled} - {JobStatus.UNKNOWN})
    if not unknown:
        raise CannotTellError(f"all statuses are documented: {', '.join(known)}")
    facts = f"undocumented: {', '.join(sorted(unknown))}; then {', '.join(known)}"
    return verdict(facts, is_right=True)


@check("progress-steps")
def progress_steps(account: Account) -> Finding:
    """Watch the progress of the training job, one poll each minute."""
    account.trained_job()
    seen = sorted({job.progress for job in account.polled if job.progress is not None})
    facts = f"with {EPOCHS} epochs, the progress was {', '.join(f'{one:.3f}' for one in seen)}"
    if not any(0 < progress < 1 for progress in seen):
        raise CannotTellError(f"{facts}: no poll fell in between")
    # Cortex rounds: the example in its documentation is 0.333.
    is_right = all(math.isclose(one, round(one * EPOCHS) / EPOCHS, abs_tol=0.01) for one in seen)
    return verdict(facts, is_right=is_right)


@check("trained-tokens")
def trained_tokens(account: Account) -> Finding:
    """Compare the trained tokens of the training job with the estimate for its data."""
    reported = account.trained_job().trained_tokens
    if reported is None:
        raise CannotTellError("the record of the training job has no trained_tokens")
    data = measure(
        account.hook, DataCheck(base_model=BASE_MODEL, training_data=account.query), TRAINING
    )
    both = Report(base_model=BASE_MODEL, training=data, epochs=EPOCHS).trained_tokens or 0
    prompts = int(data.prompt_tokens.sum or 0) * EPOCHS
    facts = f"reported: {reported}; estimated: {both}, and for the prompts alone {prompts}"
    return verdict(facts, is_right=abs(reported - both) < abs(reported - prompts))


@check("returned-name")
def returned_name(account: Account) -> Finding:
    """Ask the trained model, by the name that DESCRIBE returned."""
    name = account.model_name()
    answers: list[object] = []
    try:
        error = error_of(lambda: answers.append(account.hook.complete(name, "What comes after 7?")))
    except CompletionError as failure:
        return verdict(str(failure), is_right=False)
    facts = str(error) if error else f"{name} answered {excerpt(str(answers[0]))}"
    return verdict(facts, is_right=error is None)


@check("model-listed")
def model_listed(account: Account) -> Finding:
    """Search the trained model with SHOW MODELS."""
    name = account.model_name()
    is_listed = account.hook.has_model(name)
    return verdict(f"{name} is {'' if is_listed else 'not '}listed", is_right=is_listed)


@check("model-version")
def model_version(account: Account) -> Finding:
    """Read the versions and aliases of the trained model with SHOW MODELS."""
    shown = _shown(account, "")
    if not shown:
        raise CannotTellError("SHOW MODELS does not list the model")
    versions, aliases = (json.loads(str(shown[key])) for key in ("versions", "aliases"))
    facts = f"versions: {versions}; aliases: {aliases}; type: {shown.get('model_type')}"
    is_right = versions == ["V1"] and aliases == dict.fromkeys(["DEFAULT", "FIRST", "LAST"], "V1")
    return verdict(facts, is_right=is_right)


@check("show-in-name")
def show_in_name(account: Account) -> Finding:
    """Search the trained model with SHOW MODELS IN and the name of its schema."""
    _, schema, _ = account.hook.namespace().full_name(account.model)
    is_listed = bool(_shown(account, f"IN {schema.sql}"))
    return verdict(f"it is {'' if is_listed else 'not '}listed", is_right=is_listed)


@check("like-escape")
def like_escape(account: Account) -> Finding:
    """Search the trained model with SHOW MODELS LIKE and escaped underscores."""
    is_listed = bool(_shown(account, "", pattern=account.model.replace("_", r"\_")))
    return verdict(f"it is {'' if is_listed else 'not '}listed", is_right=is_listed)


@check("cancel-finished")
def cancel_finished(account: Account) -> Finding:
    """Cancel the training job when it has finished."""
    before = account.trained_job()
    sentences: list[str] = []
    error = error_of(lambda: sentences.append(account.hook.cancel(before.id)))
    after = account.hook.describe(before.id)
    facts = f"{error or sentences[0]}; status before: {before.status}, after: {after.status}"
    expected = [f"Canceled Cortex Fine-tuning job: {before.id}"]
    return verdict(facts, is_right=sentences == expected and after.status is before.status)


def _shown(account: Account, scope: str, *, pattern: str | None = None) -> dict[str, Any]:
    """Return what SHOW MODELS lists for the trained model, by column; empty if nothing."""
    account.model_name()
    call = Call(f"SHOW MODELS LIKE %s {scope}", (pattern or account.model,), only_reads=True)
    answer = account.hook.answer(call, about="show the trained model")
    titles = [title.lower() for title in answer.columns]
    return dict(zip(titles, answer.rows[0], strict=True)) if answer.rows else {}
