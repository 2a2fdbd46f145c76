"""Checks with AI_EXTRACT of a short text, and with a dataset. They need no file on a stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.safe_text import excerpt
from live.account import Account
from live.check import check
from live.finding import Finding, verdict
from live.sql_error import answer, error_of

QUESTION = "What is the total?"
TEXT = "Total: 12.00 EUR. Nothing else is known."


@check("extract-answer")
def extract_answer(account: Account) -> Finding:
    """Ask a text a question, and read the names in the answer."""
    asked = {"total": QUESTION}
    return _finding(account, asked, lambda found: found.keys() == {"response", "error", "scoring"})


@check("extract-label")
def extract_label(account: Account) -> Finding:
    """Ask a text one question without a label, and read the label of its answer."""
    return _finding(account, [QUESTION], lambda found: list(found["response"]) == [QUESTION])


@check("extract-none")
def extract_none(account: Account) -> Finding:
    """Ask a text for a telephone number that it does not have."""
    asked = {"phone": "What is the telephone number?"}
    return _finding(account, asked, lambda found: found["response"]["phone"] == "None")


@check("extract-scores")
def extract_scores(account: Account) -> Finding:
    """Ask a text for a list, with scores."""
    asked = {"totals": "List: What are the totals?"}
    return _finding(account, asked, lambda found: 0 <= found["scoring"]["totals"]["score"] <= 1)


@check("dataset-columns")
def dataset_columns(account: Account) -> Finding:
    """Create a dataset with a version, and read the columns of SHOW DATASETS and SHOW VERSIONS."""
    found: dict[str, list[str]] = {}

    def show() -> None:
        account.create_dataset()
        for sql in (
            f"SHOW DATASETS LIKE '{account.dataset}'",
            f"SHOW VERSIONS IN DATASET {account.dataset}",
        ):
            shown = account.hook.answer(Call(sql, (), only_reads=True), about="list the dataset")
            found[sql.split(" ")[1]] = [column.lower() for column in shown.columns]

    if error := error_of(show):
        return verdict(str(error), is_right=False)
    expected = {
        "DATASETS": ["created_on", "name", "database_name", "schema_name", "owner"],
        "VERSIONS": ["created_on", "version", "comment", "metadata"],
    }
    return verdict(f"the columns: {found}", is_right=found == expected)


def _finding(account: Account, response_format: object, is_right: Callable[[Any], bool]) -> Finding:
    """Ask the text, and return whether the answer is right."""
    sql = "SELECT AI_EXTRACT(text => %s, responseFormat => PARSE_JSON(%s), scores => TRUE)"
    call = Call(sql, (TEXT, json.dumps(response_format)), only_reads=True)
    found: list[str] = []
    error = error_of(lambda: found.append(account.hook.sentence(call, about="ask a text")))
    if error:
        return verdict(answer(error), is_right=False)
    try:
        right = bool(is_right(json.loads(found[0])))
    except (KeyError, TypeError, ValueError):
        right = False
    return verdict(f"the answer: {excerpt(found[0])}", is_right=right)
