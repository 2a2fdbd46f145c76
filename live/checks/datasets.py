"""Checks with a dataset of one row, and with files that do not exist."""

from __future__ import annotations

from airflow_provider_cortex.cortex import dataset_check
from airflow_provider_cortex.cortex.dataset import Origin
from airflow_provider_cortex.cortex.dataset_check import DocumentFigures
from airflow_provider_cortex.safe_text import excerpt
from live.account import Account
from live.check import check
from live.finding import Finding, verdict
from live.sql_error import error_of

ROWS = (
    """SELECT column1 AS "file", column2 AS "prompt", column3 AS "response" FROM VALUES"""
    """ ('@~/no-such-file.pdf', '{"a": "A?"}', '{"a": "1"}'),"""
    """ ('no path', '["a: A?", "b: B?"]', '{"a": "1"}'), (NULL, 'x', '[]')"""
)


@check("dataset-metadata")
def dataset_metadata(account: Account) -> Finding:
    """Read the metadata of a dataset's version with SHOW VERSIONS."""
    expected = account.create_dataset()
    name = account.hook.namespace().full_name(account.dataset)
    shown = account.hook.dataset_versions(name, "v1")
    facts = f"SHOW VERSIONS lists {excerpt(repr(shown))}"
    return verdict(facts, is_right=Origin.read(shown.get("v1")) == expected)


@check("missing-file")
def missing_file(account: Account) -> Finding:
    """Check three rows with files that do not exist, two of which cannot be trained with."""
    found: list[DocumentFigures] = []
    error = error_of(lambda: found.append(_measured(account)))
    if error:
        return verdict(str(error), is_right=False)
    (figures,) = found
    facts = f"of 2 files, {figures.missing_files} are missing; {'; '.join(figures.problems())}"
    counts = figures.rows, figures.missing_files, figures.unequal_keys, figures.unreadable_prompts
    return verdict(facts, is_right=counts == (3, 2, 1, 1))


def _measured(account: Account) -> DocumentFigures:
    call = dataset_check.statement(ROWS)
    row = account.hook.row(call, width=dataset_check.WIDTH, about="check rows")
    return dataset_check.figures(row)
