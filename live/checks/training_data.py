"""Checks with the statements that measure training data. They create nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_cortex.cortex.training_data_sql import TRAINING, DataCheck, DataFigures
from airflow_provider_cortex.tasks.training_queries import measure
from live.account import BASE_MODEL, Account
from live.check import check
from live.finding import Finding, verdict
from live.sql_error import answer, error_of

ROWS = "SELECT column1 AS prompt, column2 AS completion FROM VALUES ('a', 'b'), (NULL, 'c')"


@check("sample-of-query")
def sample_of_query(account: Account) -> Finding:
    """Measure a sample of one of two rows."""
    found: list[DataFigures] = []
    error = error_of(lambda: found.append(_measured(account, sample=1)))
    if error:
        return verdict(str(error), is_right=False)
    (figures,) = found
    facts = f"of {figures.rows} rows, {'one was' if figures.is_estimate else 'all were'} measured"
    return verdict(facts, is_right=figures.is_estimate)


@check("uncounted-text")
def uncounted_text(account: Account) -> Finding:
    """Count the tokens of NULL and of text, and those of text for an unknown model."""
    found: list[DataFigures] = []
    error = error_of(lambda: found.append(_measured(account)))
    unknown = error_of(lambda: _measured(account, base_model="no-such-model"))
    counted = answer(error) if error else f"{found[0].uncounted_rows} rows have no tokens"
    facts = f"of two rows, one with a NULL: {counted}; for an unknown model: {answer(unknown)}"
    is_right = unknown is not None and bool(found) and not found[0].uncounted_rows
    return verdict(facts, is_right=is_right)


def _measured(account: Account, **changes: Any) -> DataFigures:
    arguments: dict[str, Any] = {"base_model": BASE_MODEL, "training_data": ROWS} | changes
    return measure(account.hook, DataCheck(**arguments), TRAINING)
