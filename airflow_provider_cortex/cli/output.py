"""Where a command says what: its output on stdout, and all else on stderr."""

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

from airflow_provider_cortex.cli import exit_status, formatting
from airflow_provider_cortex.cli.exit_status import Exit
from airflow_provider_cortex.errors import CortexError

if TYPE_CHECKING:
    from argparse import Namespace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """
    What a command has found out.

    :param records: as JSON and YAML have it.
    :param lines: as tables have it.
    :param error: what went wrong all the same.
    """

    records: Sequence[dict[str, Any]]
    lines: Sequence[dict[str, str]]
    exit: Exit = Exit.DONE
    error: CortexError | None = None


@dataclass(frozen=True, slots=True)
class Messages:
    """A log for whoever sits in front of the terminal, whatever Airflow does with its own."""

    console: Console = field(default_factory=lambda: Console(stderr=True))

    def info(self, message: str, /, *arguments: object) -> None:
        """Say how it goes."""
        self._say(message, *arguments)

    def warning(self, message: str, /, *arguments: object) -> None:
        """Say what is not as it should be."""
        self._say(message, *arguments)

    def error(self, message: str, /, *arguments: object) -> None:
        """Say what went wrong."""
        self._say(message, *arguments)

    def _say(self, message: str, *arguments: object) -> None:
        said = formatting.plain(message % arguments if arguments else message)
        # As it is: it may quote what Cortex wrote. And in one line, for who reads it from a file.
        self.console.print(said, markup=False, emoji=False, highlight=False, soft_wrap=True)


def command(work: Callable[..., Output]) -> Callable[..., None]:
    """Make a command of a function: have its output printed, its errors told, and its exit status set."""

    @suppress_logs_and_warning  # unless --verbose
    @wraps(work)
    def run(arguments: Namespace, **options: Any) -> None:
        try:
            with _stdout_for_output_only(), _quiet_threads():
                output = work(arguments, **options)
        except CortexError as error:
            Messages().error(exit_status.message(error))
            raise SystemExit(exit_status.of_error(error)) from None
        except KeyboardInterrupt:
            raise SystemExit(Exit.INTERRUPTED) from None
        _print(output, arguments.output)
        if output.error:
            Messages().error(exit_status.message(output.error))
        if output.exit:
            raise SystemExit(output.exit)

    return run


def _print(output: Output, form: str) -> None:
    # No markup: what Cortex wrote may look like some.
    console = AirflowConsole(markup=False, emoji=False)
    records: Any = list(
        output.records
    )  # by its annotations Airflow expects no list: print_as gives it one
    match form:
        # Not by print_as, which makes text of every number.
        case "json":
            console.print_as_json(records)
        case "yaml":
            console.print_as_yaml(records)
        case "table" if output.lines:
            _print_table(console, output.lines)
        case _:
            console.print_as(list(output.lines), output=form)


def _print_table(console: AirflowConsole, lines: Sequence[Mapping[str, str]]) -> None:
    """
    Print what there is room for.

    Not by print_as, which breaks a job's id in two before it leaves anything out.
    """
    names = formatting.fitting(lines, width=console.width)
    table = SimpleTable(show_header=True)  # type: ignore[no-untyped-call] # Airflow's, as is its look
    for name in names:
        table.add_column(formatting.heading(name), no_wrap=name not in formatting.FOLDED)
    for line in lines:
        table.add_row(*(line[name] for name in names))
    console.print(table)
    left_out = [name for name in lines[0] if name not in names]
    if left_out:
        Messages().info(
            "For want of room there is no %s: --output json has all.", ", ".join(left_out)
        )


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """
    Log it when a thread ends in an error, instead of printing its traceback.

    When Snowflake does not answer, the driver has a thread cancel the statement, which then fails likewise.
    """
    hook = threading.excepthook

    def tell(ended: threading.ExceptHookArgs) -> None:
        log.warning("A thread ended in an error: %r", ended.exc_value)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = hook


@contextmanager
def _stdout_for_output_only() -> Iterator[None]:
    """
    Send to stderr what others write to stdout.

    Airflow 2 and 3.3 log there, and only the airflow command of 3.3 changes that by itself.
    """
    stdout = sys.stdout
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stdout:
                handler.setStream(sys.stderr)
                stack.callback(handler.setStream, stdout)
        yield
