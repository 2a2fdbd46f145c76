"""Checks with jobs: one that trains, and some that should end before they train."""

from __future__ import annotations

import re

from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cortex.finetune import describe_call
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.safe_text import excerpt
from live.account import BASE_MODEL, Account
from live.check import check
from live.finding import CannotTellError, Finding, verdict
from live.sql_error import answer, error_of


@check("null-validation")
def null_validation(account: Account) -> Finding:
    """Start the training job with `max_epochs`, and with NULL as its validation data."""
    error = error_of(account.training_job)
    return verdict(f"CREATE: {answer(error)}", is_right=error is None)


@check("own-comment")
def own_comment(account: Account) -> Finding:
    """Compare the training query that DESCRIBE returns with the one that was sent."""
    job = account.hook.describe(account.training_job())
    if job.training_data is None:
        raise CannotTellError(f"the job ({job.state}) has no training_data yet")
    if job.training_data == account.query:
        return verdict(f"returned as it was sent: {account.query}", is_right=True)
    return verdict(f"sent: {account.query}; returned: {job.training_data}", is_right=False)


@check("many-calls")
def many_calls(account: Account) -> Finding:
    """Describe the training job `[cortex] batch_size` times, by default 200, in one statement."""
    calls = batch_size()
    call = describe_call(*[account.training_job()] * calls)
    about = f"describe a job {calls} times"
    error = error_of(lambda: account.hook.row(call, width=calls, about=about))
    return verdict(f"{calls} calls in one statement: {answer(error)}", is_right=error is None)


@check("base-model-rejected")
def base_model_rejected(account: Account) -> Finding:
    """Start a job with a base model that does not exist."""
    error = error_of(lambda: account.start(account.query, base_model="no-such-model"))
    return verdict(f"CREATE: {answer(error)}", is_right=error is not None)


@check("wrapped-query")
def wrapped_query(account: Account) -> Finding:
    """Start a job whose columns have quoted names in lower case, and read its error."""
    query = f'SELECT prompt AS "prompt", completion AS "completion" FROM {account.table}'  # noqa: S608 - our name
    wrapped = f'SELECT "PROMPT", "COMPLETION" FROM ({query})'  # noqa: S608 - our name
    return _fails(account, query, expected=wrapped)


@check("rows-required")
def rows_required(account: Account) -> Finding:
    """Start a job whose query has no rows."""
    return _fails(account, f"{account.query} WHERE FALSE")


@check("epochs-fail-job")
def epochs_fail_job(account: Account) -> Finding:
    """Start a job with `max_epochs` = 11."""
    return _fails(account, account.query, max_epochs=11)


@check("extraction-data-fails-job")
def extraction_data_fails_job(account: Account) -> Finding:
    """Start a job that tunes arctic-extract with a dataset that does not exist."""
    data = f"snow://dataset/{account.model}_UNKNOWN/versions/v1"
    return _fails(account, data, base_model="arctic-extract")


@check("cancelled-finished-on")
def cancelled_finished_on(account: Account) -> Finding:
    """Cancel a job as soon as it has started, and read its record."""
    job = _cancelled(account)
    return verdict(f"finished_on: {job.finished_on}", is_right=job.finished_on is not None)


@check("options-if-given")
def options_if_given(account: Account) -> Finding:
    """Read the record of the training job, which has options, and of a job without any."""
    with_options = account.hook.describe(account.training_job()).to_dict().get("options")
    without = account.cancelled_job().to_dict()
    facts = f"with options: {with_options!r}; without: {without.get('options', 'no field')!r}"
    return verdict(facts, is_right=bool(with_options) and "options" not in without)


@check("name-suffix")
def name_suffix(account: Account) -> Finding:
    """Start a job under the training job's model name, cancel it, and read its model's name."""
    job = _cancelled(account)
    if job.model is None:
        raise CannotTellError("the record of a cancelled job names no model")
    name = job.model.rpartition(".")[2].strip('"')
    is_right = re.fullmatch(rf"{account.model}_\d+", name, re.IGNORECASE) is not None
    return verdict(f"{account.model} became {name}", is_right=is_right)


def _fails(
    account: Account,
    data: str,
    *,
    base_model: str = BASE_MODEL,
    expected: str = "",
    max_epochs: int | None = None,
) -> Finding:
    """Return whether CREATE accepts a job, which then ends in ERROR with the expected text."""
    options = None if max_epochs is None else {"max_epochs": max_epochs}
    ids: list[str] = []
    error = error_of(
        lambda: ids.append(account.start(data, base_model=base_model, options=options))
    )
    if error:
        return verdict(f"CREATE: {error}", is_right=False)
    job = account.wait(ids[0])
    message = job.error.text if job.error else ""
    is_right = job.status is JobStatus.ERROR and expected in message
    return verdict(f"the job ended: {job.state}. {excerpt(message)}", is_right=is_right)


def _cancelled(account: Account) -> FineTuneJob:
    job = account.cancelled_job()
    if job.status is not JobStatus.CANCELLED:
        raise CannotTellError(f"the job to cancel ended in {job.state}")
    return job
