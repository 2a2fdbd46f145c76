"""The support tickets of these example DAGs; your account has its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import task

DATA = Path(__file__).parent / "data"


@task
def load_tickets() -> None:
    """Load the labelled tickets into support_tickets, and this week's tickets into new_tickets."""
    from airflow_provider_cortex.hooks import CortexHook  # not when the DAG file is parsed

    with (DATA / "support_tickets.csv").open(encoding="utf-8", newline="") as file:
        labelled = [(row["prompt"], row["completion"]) for row in csv.DictReader(file)]
    unlabelled = [(ticket,) for ticket in _new_tickets()]
    hook = CortexHook()
    for table, columns, rows in (
        ("support_tickets", "id INT, prompt TEXT, completion TEXT", labelled),
        ("new_tickets", "id INT, body TEXT", unlabelled),
    ):
        hook.run(f"CREATE OR REPLACE TABLE {table} ({columns})")
        hook.insert_rows(table, [(n, *row) for n, row in enumerate(rows)], executemany=True)


@task
def new_tickets() -> list[str]:
    """Return this week's tickets, which have no labels yet."""
    return _new_tickets()


def _new_tickets() -> list[str]:
    tickets: list[str] = json.loads((DATA / "new_tickets.json").read_text(encoding="utf-8"))
    return tickets
