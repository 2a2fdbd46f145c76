"""Invoices on a stage, and the tasks that make a dataset of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.operators import CortexCreateDatasetOperator
from tests.account import create_table, execute

STAGE = ("CORTEX_DB", "PUBLIC", "DOCUMENTS")

QUERY = "SELECT * FROM labelled"

PROMPT = json.dumps({"number": "What is the number?", "total": "What is the total?"})

DATASET = "CORTEX_DB.PUBLIC.invoices"

Row = tuple[str, str, str]


def invoice(number: int) -> str:
    """Return the text of an invoice."""
    return f"Invoice number: {number}\nTotal: {number * 10}.00\n"


def row(number: int, **changes: str) -> Row:
    """Return the row of an invoice, with other values than the right ones if they are given."""
    response = json.dumps({"number": str(number), "total": f"{number * 10}.00"})
    values = {"file": f"@documents/{number}.txt", "prompt": PROMPT, "response": response}
    values |= changes
    return values["file"], values["prompt"], values["response"]


def upload(emulator: Emulator, numbers: Iterable[int]) -> None:
    """Put invoices on the stage."""
    execute(emulator, "CREATE STAGE IF NOT EXISTS documents")
    directory = emulator._account.engine.files.directory.joinpath(*STAGE)  # noqa: SLF001 - a PUT needs a login
    directory.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (directory / f"{number}.txt").write_text(invoice(number), encoding="utf-8")


def label(emulator: Emulator, rows: Iterable[Row]) -> None:
    """Have a table of what the documents say."""
    execute(emulator, "DROP TABLE IF EXISTS labelled")
    columns = '"file", "prompt", "response"'
    create_table(emulator, "labelled", rows, columns)  # type: ignore[arg-type]


def create(**changes: Any) -> CortexCreateDatasetOperator:
    """Return the operator that makes a dataset."""
    arguments: dict[str, Any] = {"task_id": "create", "dataset": "invoices", "query": QUERY}
    return CortexCreateDatasetOperator(**arguments | changes)


def setup(emulator: Emulator, sql: str) -> list[tuple[Any, ...]]:
    """Execute a statement about datasets in the account, and return its rows."""
    engine = emulator._account.engine  # noqa: SLF001 - a driver's login takes ten times as long
    with closing(engine.connect("CORTEX_DB", "PUBLIC")) as session:
        select = session.execute_setup(sql)
        assert select is not None
        rows: list[tuple[Any, ...]] = session.cursor().execute(select).result()[1]
    return rows


def versions(emulator: Emulator) -> list[str]:
    """Return the names of the dataset's versions; none if there is no dataset."""
    if not setup(emulator, "SHOW DATASETS"):
        return []
    return [str(version) for _, version, *_ in setup(emulator, "SHOW VERSIONS IN DATASET invoices")]
