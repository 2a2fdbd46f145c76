"""
The command line: its commands and their arguments, for Airflow and for ``python -m airflow_provider_cortex``.

Airflow imports this at every ``airflow`` command, whichever it is: what the commands do is imported when one runs.
"""
# mypy: disable-error-code="no-untyped-call"
# Airflow's Arg is not annotated.

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
from airflow_provider_cortex.cli.exit_status import Exit
from airflow_provider_cortex.cortex import sql
from airflow_provider_cortex.errors import UnsupportedValueError

INTERVAL = 15.0
"""Seconds between two looks of somebody who watches."""

LEAST_INTERVAL = 1.0
"""Seconds."""

WRONG_USAGE = 2
"""argparse's own exit status."""

Read = TypeVar("Read")


def _checked(read: Callable[[str], Read]) -> Callable[[str], Read]:
    """Have argparse tell why a value is of no use; of itself it would only say that it is."""

    def checked(text: str) -> Read:
        try:
            return read(text)
        except (ValueError, UnsupportedValueError) as error:
            raise ArgumentTypeError(str(error)) from error

    return checked


def _name(text: str) -> str:
    """Read what names a job or a connection."""
    if not text.strip():
        raise ValueError("it is empty")
    return sql.text("it", text.strip())


def _seconds(text: str, *, least: float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not least <= seconds < float("inf"):
        message = f"{text!r} is not a number of seconds, {least:g} or more"
        raise ValueError(message)
    return seconds


ARG_JOB_ID = Arg(("job_id",), type=_checked(_name), help="The id of the job, as CREATE returned it")
ARG_CONN_ID = Arg(
    ("--conn-id",),
    type=_checked(_name),
    default="snowflake_default",
    help="The Airflow connection to Snowflake (default: %(default)s)",
)
ARG_STATUS = Arg(
    ("--status",),
    action="append",
    type=_checked(job_filter.statuses),
    help="Only jobs with this status, or one of these: may have commas in it, and be given again",
)
ARG_MODEL = Arg(
    ("--model",),
    default="",
    help="Only jobs with this in their model's or base model's name, in capitals or not",
)
ARG_SINCE = Arg(
    ("--since",),
    type=_checked(lambda text: job_filter.beginning(text, now=datetime.now(UTC))),
    help="Only jobs created since then: a date or time (ISO 8601; UTC, unless it says otherwise), or 30m, 24h, 7d",
)
ARG_INTERVAL = Arg(
    ("--interval",),
    type=_checked(lambda text: _seconds(text, least=LEAST_INTERVAL)),
    default=INTERVAL,
    help="Seconds between two looks, each of which is a statement (default: %(default)s)",
)
ARG_TIMEOUT = Arg(
    ("--timeout",),
    type=_checked(lambda text: _seconds(text, least=0.0)),
    help="Seconds after which to stop watching (default: never)",
)


def _epilog(told: Mapping[int, str]) -> str:
    """Return the help on exit statuses: those of every command, and what is *told* of this one's."""
    always = {Exit.NOT_DONE: "it could not be done: stderr says why", WRONG_USAGE: "wrong usage"}
    statuses = sorted({**always, **told}.items())
    return "\n".join(["Exit status:", *(f"  {status:<4d} {what}" for status, what in statuses)])


FOUND = _epilog({Exit.DONE: "done"})

WATCHED = _epilog(
    {
        Exit.DONE: "the job ended in SUCCESS",
        Exit.ERROR: "the job ended in ERROR",
        Exit.CANCELLED: "the job was cancelled",
        Exit.MAY_RUN: "the timeout has passed; the job may still be running",
        Exit.INTERRUPTED: "Ctrl-C; the job runs on",
    }
)

CANCELLED = _epilog(
    {
        Exit.DONE: "the job is cancelled",
        Exit.NOT_DONE: "it could not be done, or was not confirmed: stderr says why",
        Exit.ERROR: "the job was over already, in ERROR",
        Exit.MAY_RUN: "the job may still be running: the cancel has not taken effect yet",
        Exit.SUCCESS: "the job was over already, in SUCCESS",
    }
)


def get_cli_commands() -> list[CLICommand]:
    """Return the commands, as Airflow 3.2 and later takes them from ``provider_info``."""
    return [
        GroupCommand(
            name="cortex",
            help="Look after Snowflake Cortex fine-tuning",
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
        help="List the account's fine-tuning jobs, the newest first",
        func=lazy_load_command("airflow_provider_cortex.cli.commands.list_jobs"),
        args=(ARG_STATUS, ARG_MODEL, ARG_SINCE, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=FOUND,
    ),
    ActionCommand(
        name="describe",
        help="Tell all that Cortex tells of a fine-tuning job",
        func=lazy_load_command("airflow_provider_cortex.cli.commands.describe_job"),
        args=(ARG_JOB_ID, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=FOUND,
    ),
    ActionCommand(
        name="watch",
        help="Watch a fine-tuning job until it is over",
        description=(
            "Watch a fine-tuning job until it is over: how it goes on stderr, what it has come to on stdout."
            " ErrorKind that passes is borne for a quarter of an hour, as by the sensor."
        ),
        func=lazy_load_command("airflow_provider_cortex.cli.commands.watch_job"),
        args=(ARG_JOB_ID, ARG_INTERVAL, ARG_TIMEOUT, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=WATCHED,
    ),
    ActionCommand(
        name="cancel",
        help="Cancel a fine-tuning job",
        description=(
            "Cancel a fine-tuning job, and look whether that took effect. A job that is over is left as it is."
        ),
        func=lazy_load_command("airflow_provider_cortex.cli.commands.cancel_job"),
        args=(ARG_JOB_ID, ARG_YES, ARG_CONN_ID, ARG_OUTPUT, ARG_VERBOSE),
        epilog=CANCELLED,
    ),
)
