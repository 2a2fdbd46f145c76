"""Run a command: its output goes to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.cli.simple_table import AirflowConsole, SimpleTable
from airflow.utils.cli import suppress_logs_and_warning
from rich.console import Console

from airflow_provider_cortex.cli import exit_status
from airflow_provider_cortex.cli.exit_status import ExitStatus
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    ContactLostError,
    CortexError,
    FineTuneTimeoutError,
)
from airflow_provider_cortex.safe_text import for_terminal

if TYPE_CHECKING:
    from argparse import Namespace

log = logging.getLogger(__name__)

MIN_COLUMNS = 3
"""The number of columns that are shown even if the terminal is too narrow for them."""

WRAPPED_COLUMNS = {"error": 20, "value": 20}
"""The columns that may take several lines, with their minimum widths in characters."""

UNLIMITED = 1_000_000
"""Characters: a terminal in which every table fits."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """
    What a command returns.

    :param records: the output in JSON and YAML.
    :param rows: the output as a table, each row by the names of its columns.
    :param error: an error to report after the output.
    """

    records: Sequence[dict[str, Any]]
    rows: Sequence[dict[str, str]]
    exit_status: ExitStatus = ExitStatus.DONE
    error: CortexError | None = None


@dataclass(frozen=True)
class TerminalLog:
    """A log on stderr, independent of Airflow's logging configuration."""

    console: Console = field(default_factory=lambda: Console(stderr=True))

    def info(self, message: str, /, *arguments: object) -> None:
        """Write a line."""
        line = for_terminal(message % arguments if arguments else message)
        # No markup: the line may quote Cortex. One line per message, also in a narrow terminal.
        self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    warning = error = info


_ADVICE: dict[type[CortexError], str] = {
    FineTuneTimeoutError: "Watch it again, or cancel it.",
    ContactLostError: "Watch it again.",
    ConnectionNotFoundError: (
        "Choose another one with --conn-id, or create it (airflow connections add)."
    ),
}
"""What a user in a terminal can do next, where the advice for an Airflow task does not apply."""


def command(work: Callable[..., Output]) -> Callable[..., None]:
    """Turn a function into a command: print its output, report its errors, set its exit status."""

    @suppress_logs_and_warning  # unless --verbose
    @wraps(work)
    def run(arguments: Namespace, **options: Any) -> None:
        try:
            with _stdout_for_output_only(), _quiet_threads():
                output = work(arguments, **options)
        except CortexError as error:
            TerminalLog().error(message(error))
            raise SystemExit(exit_status.after_error(error)) from None
        except KeyboardInterrupt:
            raise SystemExit(ExitStatus.INTERRUPTED) from None
        _print(output, arguments.output)
        if output.error:
            TerminalLog().error(message(output.error))
        if output.exit_status:
            raise SystemExit(output.exit_status)

    return run


def _print(output: Output, form: str) -> None:
    # No markup: text from Cortex may look like it.
    console = AirflowConsole(markup=False, emoji=False)
    records: Any = list(output.records)  # which Airflow's own code passes, too
    match form:
        # Airflow's print_as would turn numbers into text.
        case "json":
            console.print_as_json(records)
        case "yaml":
            console.print_as_yaml(records)
        case "table" if output.rows:
            _print_table(console, output.rows)
        case _:
            console.print_as(list(output.rows), output=form)


def _print_table(console: AirflowConsole, rows: Sequence[Mapping[str, str]]) -> None:
    """Print the columns that fit the terminal. Airflow's print_as would break job ids in two."""
    names = list(rows[0])
    hidden: list[str] = []
    while len(names) > MIN_COLUMNS and _min_width(console, _table(names, rows)) > console.width:
        hidden.insert(0, names.pop())
    console.print(_table(names, rows), crop=False)
    if hidden:
        TerminalLog().info(
            "Columns hidden to fit the terminal: %s. Use --output json.", ", ".join(hidden)
        )


def _table(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> SimpleTable:
    table = SimpleTable(show_header=True)  # type: ignore[no-untyped-call] # Airflow's own style
    for name in names:
        width = max(len(row[name]) for row in rows)
        table.add_column(
            name.replace("_", "\n"),
            no_wrap=name not in WRAPPED_COLUMNS,
            min_width=min(width, WRAPPED_COLUMNS.get(name, width)),
        )
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _min_width(console: Console, table: SimpleTable) -> int:
    return console.measure(table, options=console.options.update(width=UNLIMITED)).minimum


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """
    Log the error of a failed thread instead of printing its traceback.

    When Snowflake does not answer, the driver cancels the statement in a thread, which fails, too.
    """
    hook = threading.excepthook

    def log_error(failed: threading.ExceptHookArgs) -> None:
        log.warning("A thread failed: %r", failed.exc_value)

    threading.excepthook = log_error
    try:
        yield
    finally:
        threading.excepthook = hook


@contextmanager
def _stdout_for_output_only() -> Iterator[None]:
    """
    Send to stderr what other code writes to stdout.

    Airflow 2 and 3.3 log to stdout; only the ``airflow`` command of 3.3 changes that by itself.
    """
    stdout = sys.stdout
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stdout:
                handler.setStream(sys.stderr)
                stack.callback(handler.setStream, stdout)
        yield


def message(error: CortexError) -> str:
    """
    Return the message for a terminal: with other advice than for the user of an Airflow task.
    """
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return f"{error.summary} {advice}"
    return str(error)
