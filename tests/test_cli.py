"""The command line: what is printed where, and how commands end."""

import argparse
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.cli.cli_config import GroupCommand
from airflow.utils import yaml
from airflow.version import version
from rich.console import Console

from airflow_provider_cortex.__main__ import main, parser
from airflow_provider_cortex.cli import commands as work
from airflow_provider_cortex.cli.definition import get_cli_commands
from airflow_provider_cortex.emulator import Emulator, Life
from tests.leftovers import OUTPUT, leftovers

AIRFLOW = tuple(int(part) for part in version.split(".")[:2])

Run = Callable[..., "Ran"]


@dataclass
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it printed as JSON."""
        return list(json.loads(self.out))


class Clock:
    """
    Time that passes only when somebody sleeps.

    :param then: what happens when so many seconds have passed, by their number.
    """

    def __init__(self, then: dict[int, Callable[[], object]] | None = None) -> None:
        self.began = self.now = 1_790_000_000.0
        self.then = dict(then or {})

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds
        for moment in [moment for moment in self.then if self.now - self.began >= moment]:
            self.then.pop(moment)()

    @property
    def options(self) -> dict[str, Any]:
        """What a command takes."""
        return {"clock": self.time, "sleep": self.sleep}


@pytest.fixture
def run(connection: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run commands in this process, as ``python -m airflow_provider_cortex`` parses them."""
    # Commands set it for good, which is for a process of their own.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")

    def begin(*words: str, **options: Any) -> Ran:
        capfd.readouterr()  # of what came before
        status: Any = 0
        try:
            arguments = parser().parse_args(["jobs", *words])
            arguments.func(arguments, **options)
        except SystemExit as ended:
            status = ended.code
        printed = capfd.readouterr()
        leftovers.leave(OUTPUT, printed.out + printed.err)
        return Ran(int(status or 0), printed.out, printed.err)

    return begin


@pytest.fixture
def jobs(cortex_emulator: Emulator) -> dict[str, str]:
    """Return the ids of jobs, by how they stand: the oldest first."""
    add = cortex_emulator.jobs.add
    ids = {"SUCCESS": add(model="DB.AI.TRIAGE").id, "ERROR": add(model="DB.AI.BROKEN").id}
    cortex_emulator.jobs.fail(ids["ERROR"], code="BAD_DATA", message="No [red]column\nPROMPT.")
    ids["CANCELLED"] = add(model="DB.AI.OTHER", base_model="mistral-7b").id
    cortex_emulator.jobs.cancel(ids["CANCELLED"])
    ids["IN_PROGRESS"] = add(model="DB.AI.RUNS", life=Life.by_looks(4)).id
    cortex_emulator.jobs.describe(ids["IN_PROGRESS"])
    return ids


def test_every_command_has_its_arguments_once() -> None:
    """Airflow and ``python -m`` are given the same commands, and each can be asked what it takes."""
    (cortex,) = get_cli_commands()
    assert isinstance(cortex, GroupCommand)
    (group,) = cortex.subcommands
    assert [command.name for command in group.subcommands] == [
        "list",
        "describe",
        "watch",
        "cancel",
    ]
    for command in group.subcommands:
        flags = [flag for argument in command.args for flag in argument.flags]
        assert len(flags) == len(set(flags))
        assert {"--conn-id", "--output", "--verbose"} < set(flags)
        assert callable(getattr(work, command.func.__name__))


@pytest.mark.parametrize("command", ["list", "describe", "watch", "cancel"])
def test_help(command: str, run: Run) -> None:
    """Each command tells its exit statuses."""
    ran = run(command, "--help")
    assert ran.status == 0
    assert re.search(r"^Exit status:\n  0    ", ran.out, re.MULTILINE)


def test_airflows_own_parser_takes_the_commands() -> None:
    """Airflow builds its parser of them, nested as they are."""
    from airflow.cli.cli_parser import _add_command

    top = argparse.ArgumentParser()
    below = top.add_subparsers()
    for command in get_cli_commands():
        _add_command(below, command)
    parsed = top.parse_args(["cortex", "jobs", "watch", "ft_1", "--interval", "2"])
    assert (parsed.job_id, parsed.interval, parsed.timeout) == ("ft_1", 2.0, None)


def test_list_json(run: Run, jobs: dict[str, str]) -> None:
    """JSON has every job, the newest first, whole: numbers are numbers, moments ISO 8601 in UTC."""
    ran = run("list", "--output", "json")
    records = {record["status"]: record for record in ran.records}
    assert (ran.status, ran.err) == (0, "")
    assert {status: record["id"] for status, record in records.items()} == jobs
    assert ran.records[-1]["created_on"] <= ran.records[0]["created_on"]
    assert records["SUCCESS"]["model"] == "DB.AI.TRIAGE"
    assert records["SUCCESS"]["training_loss"] >= 0
    assert records["SUCCESS"]["trained_tokens"] == 0
    assert records["SUCCESS"]["finished_on"].endswith("+00:00")
    assert records["IN_PROGRESS"]["progress"] == 0.25
    assert records["IN_PROGRESS"]["finished_on"] is None
    assert records["ERROR"]["error"] == "BAD_DATA: No [red]column\nPROMPT."


def test_list_yaml(run: Run, jobs: dict[str, str]) -> None:
    """YAML has what JSON has."""
    del jobs["IN_PROGRESS"]  # which goes on
    options = ("--status", ",".join(jobs), "--output")
    assert (
        yaml.safe_load(run("list", *options, "yaml").out) == run("list", *options, "json").records
    )


def test_list_table(run: Run, jobs: dict[str, str]) -> None:
    """A table has a line for each job, with its whole id, and what Cortex wrote is taken for no markup."""
    ran = run("list")
    assert (ran.status, ran.err) == (0, "")
    for job_id in jobs.values():
        assert job_id in ran.out
    (error,) = re.findall(r"^.*BAD_DATA.*$", ran.out, re.MULTILINE)
    assert "[red]column" in re.sub(r"[\s|]+", " ", ran.out)
    assert re.match(rf"{jobs['ERROR']} +\| ERROR +\| ", error)


def test_list_plain(run: Run, jobs: dict[str, str]) -> None:
    """Plain is a heading, and one line for each job, to be read by other tools."""
    heading, *lines = run("list", "--output", "plain").out.splitlines()
    assert heading.split()[:3] == ["id", "status", "progress"]
    assert {line.split()[1]: line.split()[0] for line in lines} == jobs


def test_narrow_terminal(run: Run, jobs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is too wide does without some columns rather than break ids, and says so on stderr."""
    monkeypatch.setattr("airflow.cli.simple_table.is_tty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    ran = run("list")
    assert all(job_id in ran.out for job_id in jobs.values())
    assert "For want of room there is no model, base_model" in ran.err


@pytest.mark.parametrize("output", ["table", "plain"])
def test_nothing_to_list(output: str, run: Run) -> None:
    """An account without jobs is no error, and says what Airflow's own commands say."""
    assert run("list", "--output", output) == Ran(0, "No data found\n", "")
    assert run("list", "--output", "json").records == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "success,Error"], {"SUCCESS", "ERROR"}),
        (["--status", "canceled", "--status", "in_progress"], {"CANCELLED", "IN_PROGRESS"}),
        (["--status", "paused"], set()),
        (["--model", "db.ai.tri"], {"SUCCESS"}),
        (["--model", "MISTRAL"], {"CANCELLED"}),
        (["--since", "1h"], {"SUCCESS", "ERROR", "CANCELLED", "IN_PROGRESS"}),
        (["--since", "2100-01-01"], set()),
    ],
)
def test_filters(options: list[str], found: set[str], run: Run, jobs: dict[str, str]) -> None:
    """Filters keep the jobs with one of the statuses, with a part of a name, created since then."""
    ran = run("list", *options, "-o", "json")
    assert (ran.status, {record["status"] for record in ran.records}) == (0, found)


def test_what_a_look_cannot_tell(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """Jobs that cannot be described are listed as SHOW tells them, and their number is told on stderr."""
    cortex_emulator.faults.add(
        "error", at="describe", code=2003, sqlstate="02000", message="Not you."
    )
    ran = run("list", "-o", "json")
    assert ran.status == 0
    assert {record["id"] for record in ran.records} == set(jobs.values())
    assert {record["model"] for record in ran.records} == {None}
    assert "4 of 4 jobs could not be described" in ran.err


def test_describe_json(run: Run, jobs: dict[str, str]) -> None:
    """JSON has the whole record, with moments as ISO 8601 has them; the exit status is not the job's."""
    ran = run("describe", jobs["ERROR"], "-o", "json")
    (record,) = ran.records
    assert (ran.status, ran.err) == (0, "")
    assert (record["id"], record["status"]) == (jobs["ERROR"], "ERROR")
    assert record["error"] == {"code": "BAD_DATA", "message": "No [red]column\nPROMPT."}
    assert record["created_on"].endswith("+00:00")
    assert yaml.safe_load(run("describe", jobs["ERROR"], "-o", "yaml").out) == [record]


@pytest.mark.parametrize("output", ["table", "plain"])
def test_describe_for_people(output: str, run: Run, jobs: dict[str, str]) -> None:
    """A table has a line for each field."""
    ran = run("describe", jobs["SUCCESS"], "-o", output)
    lines = dict(
        re.split(r"[ |]{2,}", line.strip(), maxsplit=1)
        for line in ran.out.splitlines()
        if re.match(r"\w+[ |]{2,}\S", line)
    )
    assert lines["id"] == jobs["SUCCESS"]
    assert lines["progress"] == "100 %"
    assert lines["model"] == "DB.AI.TRIAGE"
    assert json.loads(lines["training_result"]).keys() == {"training_loss", "validation_loss"}


@pytest.mark.parametrize(
    ("ends_in", "status", "said"),
    [
        ("SUCCESS", 0, ""),
        ("ERROR", 3, "failed. Cortex says: BAD_DATA: No [red]column PROMPT."),
        ("CANCELLED", 4, "was cancelled"),
    ],
)
def test_watch_ends_as_the_job_does(
    ends_in: str, status: int, said: str, run: Run, jobs: dict[str, str]
) -> None:
    """A watch's exit status tells how the job ended, stdout the record, and stderr what went wrong."""
    ran = run("watch", jobs[ends_in], "-o", "json")
    assert ran.status == status
    assert [record["status"] for record in ran.records] == [ends_in]
    assert said in ran.err
    assert len(ran.err.splitlines()) == (1 if said else 0)


def test_watch_without_a_model(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """A success that names no model is nothing to go on with, as for the sensor."""
    cortex_emulator.faults.add("record", remove=["model"])
    ran = run("watch", jobs["SUCCESS"])
    assert ran.status == 1
    assert "named no model" in ran.err


def test_watch_tells_how_it_goes(run: Run, jobs: dict[str, str]) -> None:
    """Where there is no terminal, stderr has the lines of the sensor's log, and stdout the record alone."""
    ran = run("watch", jobs["IN_PROGRESS"], "-o", "json", **Clock().options)
    assert (ran.status, len(ran.records)) == (0, 1)
    shown = re.findall(r"IN_PROGRESS [█░]+ (\d+) % .*next look in 15 s", ran.err)
    assert shown == ["25", "50", "75"]


def test_watch_in_a_terminal(run: Run, jobs: dict[str, str]) -> None:
    """A terminal has a bar, as long as the last look says: between two looks only the times move."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    ran = run("watch", jobs["IN_PROGRESS"], "-o", "json", console=console, **Clock().options)
    assert (ran.status, ran.err, len(ran.records)) == (0, "", 1)
    frames = re.findall(r"ft_\w+… (\w+) [━╸╺ ]+(\d+) %  ([^\x1b\r\n]*)", screen.getvalue())
    progress = [int(percent) for _, percent, _ in frames]
    assert set(progress) == {25, 50, 75, 100}
    assert progress == sorted(progress)
    waits = {times.rpartition("; ")[2] for _, percent, times in frames if percent == "50"}
    assert waits == {f"next look in {seconds} s" for seconds in range(1, 16)}
    assert all("elapsed" in times for _, _, times in frames)
    assert frames[-1][0] == "SUCCESS"


def test_estimate_counts_down(run: Run, cortex_emulator: Emulator) -> None:
    """What is left of a job is reckoned at a look, and grows less until the next one."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id, progress=0.5)
    clock = Clock({16: lambda: cortex_emulator.jobs.cancel(job.id)})
    clock.began = clock.now = job.created_on / 1000 + 40
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    run("watch", job.id, console=console, **clock.options)
    shown = re.findall(
        r"(\d+) s elapsed, about (\d+) s left; next look in (\d+) s", screen.getvalue()
    )
    first = list(dict.fromkeys(shown))[:15]
    assert first == [(f"{40 + n}", f"{40 - n}", f"{15 - n}") for n in range(15)]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_trouble_that_passes(
    is_terminal: bool, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A watch bears what passes, as the sensor does, and says what that is."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=2000)
    clock = Clock({100: cortex_emulator.faults.clear})
    cortex_emulator.faults.add("unreadable")
    ran = run("watch", jobs["SUCCESS"], "-o", "json", console=console, **clock.options)
    assert (ran.status, len(ran.records)) == (0, 1)
    assert re.findall(r"Not JSON\.; next look in (\d+) s", screen.getvalue()) == ["15", "30", "60"]


def test_trouble_that_lasts(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """A quarter of an hour without an answer is the end of a watch, which says that the job may run on."""
    cortex_emulator.faults.add("unreadable")
    ran = run("watch", jobs["IN_PROGRESS"], **Clock().options)
    assert (ran.status, ran.out) == (1, "")
    last = ran.err.splitlines()[-1]
    assert f"Lost contact with fine-tuning job {jobs['IN_PROGRESS']}" in last
    assert "watch it again" in last


def test_timeout(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """A watch that has lasted for long enough tells what it has seen last, and that the job may run on."""
    cortex_emulator.jobs.stall(jobs["IN_PROGRESS"], progress=0.5)
    clock = Clock()
    options = ("--interval", "60", "--timeout", "90.5", "-o", "json")
    ran = run("watch", jobs["IN_PROGRESS"], *options, **clock.options)
    assert (ran.status, clock.now - clock.began) == (5, 90.5)
    assert [record["progress"] for record in ran.records] == [0.5]
    assert "It may still be running" in ran.err.splitlines()[-1]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_interrupted(
    is_terminal: bool, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """Ctrl-C ends the watch and not the job, and says so."""

    def press() -> None:
        raise KeyboardInterrupt

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=2000)
    ran = run("watch", jobs["IN_PROGRESS"], console=console, **Clock({20: press}).options)
    assert (ran.status, ran.out, ran.err) == (130, "", "")
    said = f"Nobody watches fine-tuning job {jobs['IN_PROGRESS']} any more: it runs on."
    assert said in screen.getvalue()
    assert "IN_PROGRESS 50 %" in screen.getvalue()
    assert not cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"])


def test_unknown_status(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """A status that is newer than this package is waited through, and warned of, with a bar as without."""
    clock = Clock({20: cortex_emulator.faults.clear})
    cortex_emulator.faults.add("record", set={"status": "PAUSED"})
    ran = run("watch", jobs["SUCCESS"], **clock.options)
    assert ran.status == 0
    assert "'PAUSED'" in ran.err
    screen = io.StringIO()
    cortex_emulator.faults.add("record", set={"status": "PAUSED"})
    clock = Clock({20: cortex_emulator.faults.clear})
    console = Console(file=screen, force_terminal=True, width=2000)
    assert run("watch", jobs["SUCCESS"], console=console, **clock.options).status == 0
    assert screen.getvalue().count("'PAUSED'") == 1


def test_cancel(run: Run, jobs: dict[str, str], cortex_emulator: Emulator) -> None:
    """A cancelled job is what was asked for; stdout has the status that was found."""
    ran = run("cancel", jobs["IN_PROGRESS"], "--yes", "-o", "json")
    assert (ran.status, [record["status"] for record in ran.records]) == (0, ["CANCELLED"])
    assert cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"])
    assert f"Fine-tuning job {jobs['IN_PROGRESS']} is over: CANCELLED" in ran.err


@pytest.mark.parametrize(("stands", "status"), [("SUCCESS", 6), ("ERROR", 3), ("CANCELLED", 0)])
def test_cancel_of_what_is_over(
    stands: str, status: int, run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """A job that is over is left as it is, said to be so, and told by the exit status."""
    ran = run("cancel", jobs[stands], "-y")
    assert ran.status == status
    assert re.search(rf"{jobs[stands]} +\| {stands} ", ran.out)
    assert "is over, and left as it is" in ran.err
    assert not any("'CANCEL'" in statement.sql for statement in cortex_emulator.statements)


def test_cancel_that_takes_time(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel that does not take effect in some looks is told: the job may still be running."""
    monkeypatch.setattr("airflow_provider_cortex.waiting.cancelling.PAUSE", 0)
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"})
    ran = run("cancel", jobs["IN_PROGRESS"], "--yes")
    assert ran.status == 5
    assert "was to be cancelled, and is still IN_PROGRESS" in ran.err


class Keyboard(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        """Be one."""
        return True


@pytest.mark.parametrize(
    ("typed", "status"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)]
)
def test_confirmation(
    typed: str,
    status: int,
    run: Run,
    jobs: dict[str, str],
    cortex_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a terminal a cancel asks first, on stderr, and whatever is not yes cancels nothing."""
    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    ran = run("cancel", jobs["IN_PROGRESS"], "-o", "json")
    assert ran.status == status
    assert f"Fine-tuning job {jobs['IN_PROGRESS']} is IN_PROGRESS 25 %." in ran.err
    assert cortex_emulator.jobs.is_finished(jobs["IN_PROGRESS"]) is (status == 0)
    assert ("Nothing is cancelled" in ran.err) is (status == 1)
    assert len(json.loads(ran.out or "[]")) == (1 if status == 0 else 0)


def test_nobody_to_confirm(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal, and without --yes, nothing is asked of Snowflake."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ran = run("cancel", jobs["IN_PROGRESS"])
    assert (ran.status, ran.out) == (1, "")
    assert "Say --yes" in ran.err
    assert cortex_emulator.statements == []


COMMANDS = [("list",), ("describe", "ft_1"), ("watch", "ft_1"), ("cancel", "ft_1", "--yes")]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_connection(words: tuple[str, ...], run: Run) -> None:
    """A connection that does not exist is told in one line, with what to do."""
    ran = run(*words, "--conn-id", "nobody")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        "Airflow finds no connection 'nobody': name one with --conn-id, or add it"
        " (airflow connections add).\n"
    )


@pytest.fixture
def in_database(connection: str) -> Iterator[str]:
    """Put the connection into Airflow's database, and nowhere else, by another id."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow 2 warns of itself
        import_all_models()
    known = Base.metadata.tables
    tables = [known[name] for name in ("team", "connection") if name in known]
    Base.metadata.create_all(settings.engine, tables=tables)
    made = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    made["extra"] = json.dumps(made["extra"])
    with create_session() as session:
        session.add(Connection(conn_id="in_database", **made))
    yield "in_database"
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="in_database").delete()


def test_connection_in_the_database(run: Run, jobs: dict[str, str], in_database: str) -> None:
    """A connection that only Airflow's database has is found, as by Airflow's own commands."""
    ran = run("list", "--conn-id", in_database, "-o", "json")
    assert (ran.status, len(ran.records)) == (0, len(jobs))


@pytest.mark.parametrize("words", COMMANDS)
def test_refusal(words: tuple[str, ...], run: Run, cortex_emulator: Emulator) -> None:
    """What Snowflake refuses is told in one line, with the connection, and without a traceback."""
    cortex_emulator.password = "another"
    ran = run(*words)
    assert (ran.status, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert "'snowflake_default'" in line
    assert "Incorrect username or password" in line


@pytest.mark.parametrize("command", ["describe", "watch", "cancel"])
def test_unknown_job(command: str, run: Run) -> None:
    """A job that Cortex does not know is named."""
    ran = run(command, "ft_none", *(["--yes"] if command == "cancel" else []))
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "job ft_none" in ran.err


def test_unreachable(run: Run, cortex_emulator: Emulator) -> None:
    """An account that does not answer is told in one line."""
    cortex_emulator.stop()
    ran = run("list")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "could not show the fine-tuning jobs" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("describe", " "), "argument job_id: it is empty"),
        (("watch", "a\0b"), "argument job_id: it cannot be sent to Snowflake"),
        (("list", "--conn-id", ""), "argument --conn-id: it is empty"),
        (("list", "--status", ","), "argument --status: it names no status"),
        (("list", "--since", "yesterday"), "argument --since: 'yesterday' is neither"),
        (("list", "--output", "xml"), "argument -o/--output: invalid choice: 'xml'"),
        (("watch", "ft_1", "--interval", "0"), "argument --interval: '0' is not a number"),
        (("watch", "ft_1", "--interval", "soon"), "argument --interval: 'soon' is not a number"),
        (("watch", "ft_1", "--timeout", "-1"), "argument --timeout: '-1' is not a number"),
        (("watch", "ft_1", "--timeout", "nan"), "argument --timeout: 'nan' is not a number"),
        (("watch", "ft_1", "--timeout", "inf"), "argument --timeout: 'inf' is not a number"),
        ((), "arguments are required: COMMAND"),
    ],
)
def test_wrong_usage(
    words: tuple[str, ...], said: str, run: Run, cortex_emulator: Emulator
) -> None:
    """What cannot be meant is refused by its name, before anything is asked."""
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert cortex_emulator.logins == 0


@pytest.mark.filterwarnings("ignore")  # of Airflow 2, that --verbose lets through
def test_logs_stay_off_stdout(run: Run, jobs: dict[str, str]) -> None:
    """With --verbose there are logs, on stderr, even of who logs to stdout; afterwards all is as it was."""
    stdout, root = sys.stdout, logging.getLogger()
    handler = logging.StreamHandler(stdout)
    root.addHandler(handler)
    level, hook = root.level, threading.excepthook
    root.setLevel(logging.INFO)
    try:
        ran = run("list", "--verbose", "-o", "json")
        assert len(ran.records) == len(jobs)
        assert "Snowflake Connector" in ran.err
        assert (handler.stream, sys.stdout, threading.excepthook) == (stdout, stdout, hook)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def process(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as somebody in a shell would."""
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_python_m(connection: str, jobs: dict[str, str]) -> None:
    """``python -m airflow_provider_cortex`` is a command: JSON alone on stdout, and the exit status."""
    watch = ("-m", "airflow_provider_cortex", "jobs", "watch", jobs["ERROR"], "--output", "json")
    ran = process(sys.executable, *watch)
    assert [record["id"] for record in json.loads(ran.stdout)] == [jobs["ERROR"]]
    assert ran.returncode == 3
    assert "Traceback" not in ran.stderr


LOUD_HOOK = """
import sys

class Loud:
    def find_spec(self, name, *_):
        if name == "airflow.providers.snowflake.hooks.snowflake":
            print("Here I am.")

sys.meta_path.insert(0, Loud())

from airflow_provider_cortex.__main__ import main
main()
"""


def test_imports_stay_off_stdout(connection: str, jobs: dict[str, str]) -> None:
    """Nor does stdout get what is written while SnowflakeHook is imported: Airflow 3.0 logs then."""
    ran = process(sys.executable, "-c", LOUD_HOOK, "jobs", "list", "--output", "json")
    assert {record["id"] for record in json.loads(ran.stdout)} == set(jobs.values())
    assert "Here I am." in ran.stderr


@pytest.mark.skipif(AIRFLOW < (3, 2), reason="Airflow before 3.2 takes no commands of providers")
def test_airflow_cortex(connection: str, jobs: dict[str, str]) -> None:
    """``airflow cortex jobs`` is the same, from 3.2 on."""
    ran = process(sys.executable, "-m", "airflow", "cortex", "jobs", "list", "--output", "json")
    assert {record["id"] for record in json.loads(ran.stdout)} == set(jobs.values())
    assert ran.returncode == 0


def test_main(run: Run, jobs: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    """What is run is what was said on the command line."""
    main(["jobs", "describe", jobs["SUCCESS"], "-o", "json"])
    assert json.loads(capfd.readouterr().out)[0]["id"] == jobs["SUCCESS"]
