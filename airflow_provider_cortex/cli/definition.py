"""
The commands and their arguments, for Airflow and for ``python -m airflow_provider_cortex``.

Airflow imports this module for each ``airflow`` command. So the modules that run a command are
imported only when it runs.
"""
# mypy: disable-error-code="no-untyped-call"
# Airflow's Arg has no annotations.

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ARG_VERBOSE,
    ARG_YES,
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
)

from airflow_provider_cortex.cli import job_filter
from airflow_provider_cortex.cli.exit_status import ExitStatus
from airflow_provider_cortex.cortex import rendered_values
from airflow_provider_cortex.errors import UnsupportedValueError

DEFAULT_INTERVAL = 15.0
"""Seconds between two polls."""

MIN_INTERVAL = 1.0
"""Seconds."""

WRONG_USAGE = 2
"""argparse's own exit status."""

Value = TypeVar("Value")


def _reporting(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Have argparse report the parser's error; by default it reports the rejected text only."""

    def parse_argument(text: str) -> Value:
        try:
            return parse(text)
        except (ValueError, UnsupportedValueError) as error:
            raise ArgumentTypeError(str(error)) from error

    return parse_argument


def _parse_id(text: str) -> str:
    """Read the id of a job or a connection."""
    if not text.strip():
        raise ValueError("must not be empty")
    return rendered_values.text("it", text.strip())


def _parse_seconds(text: str, *, at_least: float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not at_least <= seconds < float("inf"):
        message = f"must be at least {at_least:g} s; got {text!r}"
        raise ValueError(message)
    return seconds


ARG_JOB_ID = Arg(
    ("job_id",),
    type=_reporting(_parse_id),
    help="The job's id, as FINETUNE('CREATE', ...) returned it",
)
ARG_CONN_ID = Arg(
    ("--conn-id",),
    type=_reporting(_parse_id),
    default="snowflake_default",
    help="The Airflow connection to Snowflake (default: %(default)s)",
)
ARG_STATUS = Arg(
    ("--status",),
    action="append",
    type=_reporting(job_filter.parse_statuses),
    help="List only jobs with this status; separate several with commas, or repeat --status",
)
ARG_MODEL = Arg(
    ("--model",),
    default="",
    help="List only jobs whose model's or base model's name contains this, in upper or lower case",
)
ARG_SINCE = Arg(
    ("--since",),
    type=_reporting(lambda text: job_filter.parse_since(text, now=datetime.now(UTC))),
    help=(
        "List only jobs created since a date or time (ISO 8601, by default in UTC),"
        " or in the last 30m, 24h, 7d"
    ),
)
ARG_INTERVAL = Arg(
    ("--interval",),
    type=_reporting(lambda text: _parse_seconds(text, at_least=MIN_INTERVAL)),
    default=DEFAULT_INTERVAL,
    help="Seconds between two polls, each of which is one statement (default: %(default)s)",
)
ARG_TIMEOUT = Arg(
    ("--timeout",),
    type=_reporting(lambda text: _parse_seconds(text, at_least=0.0)),
    help="Seconds after which to stop watching (default: never)",
)


def _epilog(statuses: Mapping[int, str]) -> str:
    """Return the help on exit statuses: the command's own and those of every command."""
    common = {
        ExitStatus.NOT_DONE: "the command failed; stderr says why",
        WRONG_USAGE: "wrong usage",
    }
    lines = [f"  {status:<4d} {text}" for status, text in sorted({**common, **statuses}.items())]
    return "\n".join(["Exit status:", *lines])


READ_STATUSES = _epilog({ExitStatus.DONE: "done"})

WATCH_STATUSES = _epilog(
    {
        ExitStatus.DONE: "the job ended in SUCCESS",
        ExitStatus.ERROR: "the job ended in ERROR",
        ExitStatus.CANCELLED: "the job was cancelled",
        ExitStatus.MAY_RUN: "--timeout has passed; the job may still be running",
        ExitStatus.INTERRUPTED: "Ctrl-C; the job is still running",
    }
)

CANCEL_STATUSES = _epilog(
    {
        ExitStatus.DONE: "the job is cancelled",
        ExitStatus.NOT_DONE: "the command failed, or was not confirmed; stderr says why",
        ExitStatus.ERROR: "the job had already ended in ERROR",
        ExitStatus.MAY_RUN: "the cancel has not taken effect yet; the job may still be running",
        ExitStatus.SUCCESS: "the job had already ended in SUCCESS",
    }
)


def get_cli_commands() -> list[CLICommand]:
    """Return the commands, as Airflow 3.2 and later takes them from ``provider_info``."""
    return [
        GroupCommand(
            name="cortex",
            help="Manage Snowflake Cortex fine-tuning",
            subcommands=(
                GroupCommand(
                    name="jobs",
                    help="List, describe, watch and cancel fine-tuning jobs",
                    subcommands=JOBS,
                ),
            ),
        )
    ]


JOBS = (
    ActionCommand(
        name="list",
        help="List the account's fine-tuning jobs, newest first",
        func=lazy_load_command("airflow_provider_cortex.cli.commands.list_jobs"),
        args=(ARG_STATUS, ARG_MODEL, ARG_SINCE, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=READ_STATUSES,
    ),
    ActionCommand(
        name="describe",
        help="Show everything that Cortex reports about a fine-tuning job",
        func=lazy_load_command("airflow_provider_cortex.cli.commands.describe_job"),
        args=(ARG_JOB_ID, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=READ_STATUSES,
    ),
    ActionCommand(
        name="watch",
        help="Watch a fine-tuning job until it has finished",
        description=(
            "Watch a fine-tuning job until it has finished. Progress goes to stderr, the finished"
            " job to stdout. Like the sensor, it retries through transient errors for 15 minutes."
        ),
        func=lazy_load_command("airflow_provider_cortex.cli.commands.watch_job"),
        args=(ARG_JOB_ID, ARG_INTERVAL, ARG_TIMEOUT, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=WATCH_STATUSES,
    ),
    ActionCommand(
        name="cancel",
        help="Cancel a fine-tuning job",
        description=(
            "Cancel a fine-tuning job, and check that it was cancelled."
            " A finished job is not changed."
        ),
        func=lazy_load_command("airflow_provider_cortex.cli.commands.cancel_job"),
        args=(ARG_JOB_ID, ARG_YES, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=CANCEL_STATUSES,
    ),
)
