"""Invoices on a stage, a model that was tuned with them, and tasks that read them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexExtractOperator, CortexExtractTableOperator
from tests.account import literal
from tests.worker import Result

MODEL = "CORTEX_DB.PUBLIC.INVOICES"
"""A model that was tuned with other invoices of the same two suppliers."""

QUESTIONS = {"number": "What is the invoice number?", "total": "What is the total?"}

MISSING = "there is no such file on a stage that the role can read"

Extract = Callable[..., Result]

IN_BOTH_WAYS = pytest.mark.parametrize(
    "table", [False, True], indirect=True, ids=["worker", "deferred"]
)


def invoice(number: int) -> tuple[str, dict[str, str]]:
    """Return an invoice's text, and what is to be found in it: every other one is German."""
    found = {"number": f"R-{1000 + number}", "total": f"{number}.50 EUR"}
    if number % 2:
        text = f"Rechnungs-Nr.: {found['number']}\nZahlbetrag: {found['total']}\nDanke!"
    else:
        text = f"Number: {found['number']}\nTotal: {found['total']}\nThank you!"
    return text, found


def put(hook: CortexHook, folder: Path, numbers: Sequence[int], to: str) -> None:
    """Put invoices on the stage, in a directory of it."""
    folder.mkdir()
    for number in numbers:
        (folder / f"{number}.txt").write_text(invoice(number)[0], encoding="utf-8")
    hook.run(f"PUT 'file://{folder}/*.txt' @docs/{to} AUTO_COMPRESS = FALSE")
    hook.run("ALTER STAGE docs REFRESH")


def rows(numbers: Sequence[int], directory: str) -> str:
    """Return the query for the rows of a data set with these invoices."""
    values = ", ".join(
        f"('@docs/{directory}/{number}.txt', {literal(json.dumps(invoice(number)[1]))})"
        for number in numbers
    )
    prompt = literal(json.dumps(QUESTIONS))
    return f"SELECT a AS file, {prompt} AS prompt, b AS response FROM (VALUES {values}) AS t (a, b)"


def operator(**changes: Any) -> CortexExtractOperator:
    """Return a task that reads files."""
    arguments: dict[str, Any] = {"task_id": "extract", "response_format": QUESTIONS}
    return CortexExtractOperator(**arguments | changes)


def table_operator(**changes: Any) -> CortexExtractTableOperator:
    """Return a task that reads all files of a directory."""
    arguments: dict[str, Any] = {"task_id": "extract", "model": MODEL, "source": "@docs/new"}
    arguments |= {"destination": "found", "response_format": QUESTIONS}
    return CortexExtractTableOperator(**arguments | changes)


def extracted(emulator: Emulator) -> int:
    """Return how many statements without a session have had files read."""
    return sum("AI_EXTRACT" in query.sql for query in emulator.queries.all())
