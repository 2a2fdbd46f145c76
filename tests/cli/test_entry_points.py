"""How the commands are started: by Airflow, by ``python -m``, and with other code's output."""

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from airflow.cli.cli_config import GroupCommand
from airflow.version import version

from airflow_provider_cortex.__main__ import main
from airflow_provider_cortex.cli import commands
from airflow_provider_cortex.cli.definition import get_cli_commands
from tests.cli.runner import Run

pytestmark = pytest.mark.slow

AIRFLOW = tuple(int(part) for part in version.split(".")[:2])


def test_commands_have_functions_and_distinct_arguments() -> None:
    """Every command exists, has the common arguments, and no argument twice."""
    (cortex,) = get_cli_commands()
    assert isinstance(cortex, GroupCommand)
    (group,) = cortex.subcommands
    names = [command.name for command in group.subcommands]
    assert names == ["list", "describe", "watch", "cancel"]
    for command in group.subcommands:
        flags = [flag for argument in command.args for flag in argument.flags]
        assert len(flags) == len(set(flags))
        assert {"--conn-id", "--output", "--verbose"} < set(flags)
        assert callable(getattr(commands, command.func.__name__))


@pytest.mark.parametrize("command", ["list", "describe", "watch", "cancel"])
def test_help_lists_the_exit_statuses(command: str, run: Run) -> None:
    """The help of each command lists its exit statuses."""
    result = run(command, "--help")
    assert result.status == 0
    assert re.search(r"^Exit status:\n  0    ", result.out, re.MULTILINE)


def test_airflows_own_parser_accepts_the_commands() -> None:
    """Airflow builds its own parser from the nested commands."""
    from airflow.cli.cli_parser import _add_command

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for command in get_cli_commands():
        _add_command(subparsers, command)
    parsed = parser.parse_args(["cortex", "jobs", "watch", "ft_1", "--interval", "2"])
    assert (parsed.job_id, parsed.interval, parsed.timeout) == ("ft_1", 2.0, None)


@pytest.mark.filterwarnings("ignore")  # Airflow 2's own warnings, which --verbose shows
def test_logs_go_to_stderr(run: Run, jobs: dict[str, str]) -> None:
    """With --verbose, log handlers write to stderr; afterwards everything is as before."""
    stdout, root = sys.stdout, logging.getLogger()
    handler = logging.StreamHandler(stdout)
    this_thread = threading.get_ident()
    # The emulator and drivers of earlier tests log in threads of their own, at any time.
    handler.addFilter(lambda record: record.thread == this_thread)
    others, root.handlers = root.handlers, [handler]
    level, hook = root.level, threading.excepthook
    root.setLevel(logging.INFO)
    try:
        result = run("list", "--verbose", "-o", "json")
        assert len(result.records) == len(jobs)
        assert "Snowflake Connector" in result.err
        assert (handler.stream, sys.stdout, threading.excepthook) == (stdout, stdout, hook)
    finally:
        root.setLevel(level)
        root.handlers = others


def process(*command: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` in its own process, as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True, timeout=120
    )


PRINTING_IMPORT = """
import sys

class Finder:
    def find_spec(self, name, *_):
        if name == "airflow.providers.snowflake.hooks.snowflake":
            print("The hook is imported.")

sys.meta_path.insert(0, Finder())
"""
"""A ``sitecustomize`` module, which Python imports when it starts."""


def test_python_m_prints_json_alone_to_stdout(
    connection: str, jobs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    stdout has nothing but JSON, and the exit status is the job's.

    What is printed while SnowflakeHook is imported goes to stderr: Airflow 3.0 logs then.
    """
    (tmp_path / "sitecustomize.py").write_text(PRINTING_IMPORT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    watch = ("jobs", "watch", jobs["ERROR"], "--output", "json")
    ended = process("airflow_provider_cortex", *watch)
    assert [record["id"] for record in json.loads(ended.stdout)] == [jobs["ERROR"]]
    assert ended.returncode == 3
    assert "The hook is imported." in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(AIRFLOW < (3, 2), reason="Airflow before 3.2 has no commands of providers")
def test_airflow_cortex_has_the_same_commands(connection: str, jobs: dict[str, str]) -> None:
    """``airflow cortex jobs`` prints the same as ``python -m``, from Airflow 3.2 on."""
    ended = process("airflow", "cortex", "jobs", "list", "--output", "json")
    assert {record["id"] for record in json.loads(ended.stdout)} == set(jobs.values())
    assert ended.returncode == 0


def test_main_runs_the_parsed_command(
    run: Run, jobs: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """``main`` runs the command that its arguments name."""
    main(["jobs", "describe", jobs["SUCCESS"], "-o", "json"])
    assert json.loads(capfd.readouterr().out)[0]["id"] == jobs["SUCCESS"]
