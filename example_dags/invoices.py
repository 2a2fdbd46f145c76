"""
The invoices of an example DAG, which are made here; your stage has its own.

Three suppliers write their invoices in three ways. Half of them are PDF files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import task

STAGE = "invoices"

QUESTIONS = {
    "invoice_number": "What is the invoice number?",
    "supplier": "Which company sent the invoice?",
    "total": "What is the total amount to be paid?",
    "due_date": "By which date is it to be paid?",
}

LABELLED, NEW = range(45), range(45, 60)
"""The invoices whose answers are known, and those of this week."""

LAYOUTS = {
    "Alder Paper Ltd": (
        "INVOICE",
        "From: {supplier}",
        "Invoice number: {invoice_number}",
        "Net: {net}",
        "Total amount: {total}",
        "Due date: {due_date}",
    ),
    "Birke Verlag GmbH": (
        "RECHNUNG",
        "Absender: {supplier}",
        "Rechnungs-Nr.: {invoice_number}",
        "Netto: {net}",
        "Zahlbetrag: {total}",
        "Zahlbar bis: {due_date}",
    ),
    "Cedar Cleaning Inc": (
        "STATEMENT OF WORK DONE",
        "Contractor: {supplier}",
        "Our reference: {invoice_number}",
        "Before tax: {net}",
        "Please transfer: {total}",
        "Payment expected before: {due_date}",
    ),
}
"""How each supplier writes what is asked for."""


@task
def load_invoices() -> None:
    """Put the invoices on a stage, and the known answers into the table labelled_invoices."""
    from airflow_provider_cortex.hooks import CortexHook  # not when the DAG file is parsed

    hook = CortexHook()
    with TemporaryDirectory() as folder:
        for number in (*LABELLED, *NEW):
            path = Path(folder, file_of(number))
            path.parent.mkdir(exist_ok=True)
            lines = list(lines_of(number))
            path.write_bytes(pdf(lines) if number % 2 else "\n".join(lines).encode())
        hook.run(
            f"CREATE STAGE IF NOT EXISTS {STAGE} DIRECTORY = (ENABLE = TRUE)"
            " ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')"
        )
        for directory in "labelled", "new":
            hook.run(
                f"PUT 'file://{folder}/{directory}/*' @{STAGE}/{directory}"
                " AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
            )
        hook.run(f"ALTER STAGE {STAGE} REFRESH")
    hook.run(
        "CREATE OR REPLACE TABLE labelled_invoices (id INT, file TEXT, prompt TEXT, response TEXT)"
    )
    prompt = json.dumps(QUESTIONS)
    rows = [
        (number, f"@{STAGE}/{file_of(number)}", prompt, json.dumps(answers(number)))
        for number in LABELLED
    ]
    hook.insert_rows("labelled_invoices", rows, executemany=True)


def file_of(number: int) -> str:
    """Return an invoice's path on the stage."""
    directory = "labelled" if number in LABELLED else "new"
    return f"{directory}/{number:03}.{'pdf' if number % 2 else 'txt'}"


def answers(number: int) -> dict[str, str]:
    """Return the right answers for an invoice."""
    return {
        "invoice_number": f"{2026 + number % 2}-{1000 + 7 * number}",
        "supplier": tuple(LAYOUTS)[number % len(LAYOUTS)],
        "total": f"{119 * (number + 3) / 10:.2f} EUR",
        "due_date": f"2026-{1 + number % 12:02}-{1 + number % 28:02}",
    }


def lines_of(number: int) -> Iterator[str]:
    """Yield the lines of an invoice."""
    found = answers(number)
    net = f"{10 * (number + 3):.2f} EUR"
    for line in LAYOUTS[found["supplier"]]:
        yield line.format(net=net, **found)


def pdf(lines: list[str]) -> bytes:
    """Return a PDF file with one page of text in Latin letters."""
    escaped = (re.sub(r"([\\()])", r"\\\1", line) for line in lines)
    text = "".join(f"({line}) Tj T* " for line in escaped)
    content = f"BT /F 12 Tf 16 TL 72 720 Td {text}ET"
    fonts = "/Resources << /Font << /F 5 0 R >> >>"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R {fonts} >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    file, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{file}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    ).encode("latin-1")
