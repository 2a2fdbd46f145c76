"""What ``make live`` prints: before the run, while it runs, and as the text of a bug report."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from textwrap import fill

from airflow_provider_cortex.hooks import CortexHook
from live.account import BASE_MODEL, EPOCHS, ROWS, Account
from live.finding import Finding, Verdict
from live.redaction import Redact
from live.register import Guess

PACKAGES = (
    "airflow-provider-cortex",
    "apache-airflow",
    "apache-airflow-providers-snowflake",
    "snowflake-connector-python",
)

WIDTH = 96

PRICES = "https://www.snowflake.com/legal-files/CreditConsumptionTable.pdf"

ANNOUNCEMENT = """\
This checks {count} guesses about Snowflake Cortex in the account of the connection {conn_id!r}:
  {place}

It creates at most, and removes at its end:
  - the table {table} with {rows} rows, the function {alias}, and the dataset {dataset}
    with one row
  - one training job ({base_model}, {rows} rows, {epochs} epochs), and its model {model}
  - five jobs that should end before they train: one is cancelled at once, the others have wrong
    arguments. If a guess about them is wrong, each may cost as much as the training job
It also reads the list of all fine-tuning jobs, and describes up to ten of them.

It costs, about:
  - training: 2,000 tokens (Cortex bills the trained tokens: input times epochs)
  - five short answers of a model: some hundred tokens
  - the warehouse for as long as the run takes: a poll each minute keeps it awake (an X-Small one:
    1 credit an hour)
What a token costs in your account is not known here. Snowflake's prices:
  {prices}

It takes as long as the training job: users report from 5 minutes to an hour. Ctrl-C ends it at
any time, and removes what it has created."""


def print_progress(text: str) -> None:
    """Print what is not part of the report."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - commands print


def print_report(text: str) -> None:
    """Print the report."""
    print(f"\n{text}", flush=True)  # noqa: T201 - commands print


def announcement(account: Account, *, count: int) -> str:
    """Return what a run will create, where, and about what it costs."""
    return ANNOUNCEMENT.format(
        count=count,
        conn_id=account.hook.get_conn_id(),
        place=place(account.hook),
        table=account.table,
        alias=account.alias,
        dataset=account.dataset,
        model=account.model,
        rows=ROWS,
        epochs=EPOCHS,
        base_model=BASE_MODEL,
        prices=PRICES,
    )


def place(hook: CortexHook) -> str:
    """
    Return where a run creates what it creates.

    :raises CortexError: if the connection does not exist, or names no database or schema.
    """
    database, schema, _ = hook.namespace().full_name("TABLE")
    extra = hook.get_connection(hook.get_conn_id()).extra_dejson
    others = [
        f"{name} {extra.get(name) or 'of the user, by default'}" for name in ("warehouse", "role")
    ]
    return ", ".join([f"database {database.text}", f"schema {schema.text}", *others])


def report(findings: Mapping[Guess, Finding], redact: Redact) -> str:
    """Return the findings as the text of a bug report, those that were refuted first."""
    order = [Verdict.REFUTED, Verdict.UNCLEAR, Verdict.CONFIRMED]
    sorted_by_verdict = sorted(findings.items(), key=lambda item: order.index(item[1].verdict))
    entries = [_entry(guess, found, redact) for guess, found in sorted_by_verdict]
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    head = f"{versions}, Python {platform.python_version()}"
    return "\n\n".join([_summary(findings), fill(head, WIDTH), *entries])


def leftovers(statements: Sequence[str], hook: CortexHook) -> str:
    """Return what a user has to remove, and how."""
    lines = [f"  {sql};" for sql in statements]
    return "\n".join([f"Could not remove everything. Run this in {place(hook)}:", *lines])


def _summary(findings: Mapping[Guess, Finding]) -> str:
    counts = Counter(finding.verdict for finding in findings.values())
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)


def _entry(guess: Guess, finding: Finding, redact: Redact) -> str:
    lines = [
        f"{guess.id}: {finding.verdict}",
        _indented(f"Guess: {guess.assumed}"),
        _indented(f"Seen: {redact(finding.facts)}"),
    ]
    if finding.verdict is Verdict.REFUTED:
        lines.append(_indented(f"So: {guess.if_wrong}"))
    return "\n".join(lines)


def _indented(text: str) -> str:
    return fill(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
