"""An Airflow of the tests' own, and a Cortex for it to talk to."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests.leftovers import OUTPUT, PASSWORD, XCOMS, Leftovers, leftovers, maskers
from tests.xcoms import XComs

# What takes seconds to load is for the tests to import: pytest-xdist's first process runs none, and the
# others would wait for it.
if TYPE_CHECKING:
    from airflow_provider_cortex.emulator import Emulator
    from tests.worker import Worker

# Before anything imports Airflow, which reads its settings then.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="cortex-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
DAGS = AIRFLOW_HOME / "dags"
for folder in Path(__file__).parents[1] / "example_dags", Path(__file__).parent / "dags":
    shutil.copytree(folder, DAGS, dirs_exist_ok=True)
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    # The driver keeps its caches here.
    "XDG_CACHE_HOME": str(AIRFLOW_HOME / "cache"),
    # At each login it asks the clouds' addresses where it runs.
    "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
    # Twice a request it looks through the whole environment for a proxy: an eighth of what a test takes.
    "no_proxy": "127.0.0.1",
}

gc.disable()  # until all is loaded, of which nothing is garbage: a fifth of the time it takes

PRINTED = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: "test_example_dags" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Have the driver loaded, too, which takes as long as some tests may wait."""
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    from tests import databases

    databases.recycle()
    # At each login it would list all modules there are, for telemetry that is off here.
    DEFAULT_CONFIGURATION["log_imported_packages_in_telemetry"] = (False, bool)
    # What is loaded stays; a library or two would complain at the very end if it did even then.
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.enable()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make as much of Airflow 2's database as its sensors look at, once."""
    from airflow import settings
    from airflow.models.taskreschedule import TaskReschedule

    vars(TaskReschedule)["__table__"].create(settings.engine, checkfirst=True)


@pytest.fixture
def connection(cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the emulator the default connection, with a driver that soon gives up."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["password"] = PASSWORD
    settings["extra"] |= {"login_timeout": 1, "network_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    return "snowflake_default"


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Worker:
    """Run tasks as Airflow would, in no time."""
    from tests.worker import AIRFLOW_2, Worker

    if AIRFLOW_2:  # whose sensors look up in its database when they were first rescheduled
        request.getfixturevalue("airflow_database")
    return Worker()


@pytest.fixture
def time_is_up_at_the_end(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task's execution_timeout pass while the driver closes its session, and never else."""
    import snowflake.connector

    close = snowflake.connector.SnowflakeConnection.close

    def struck(*arguments: Any, **options: Any) -> None:
        close(*arguments, **options)
        signal.raise_signal(signal.SIGALRM)  # what Airflow's own clock sends

    monkeypatch.setattr(snowflake.connector.SnowflakeConnection, "close", struck)


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Iterator[XComs]:
    """Give triggers a table of XComs."""
    table = XComs()
    monkeypatch.setattr("airflow.providers.common.compat.sdk.XCom", table, raising=False)
    yield table
    leftovers.leave(XCOMS, json.dumps(table))


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Fail whatever of this package's code blocks an event loop."""
    with blockbuster_ctx("airflow_provider_cortex") as blockbuster:
        # Coverage has a lock of its own, wherever it comes to code that it has not seen yet.
        blockbuster.functions["threading.Lock.acquire"].can_block_in(
            "coverage/collector.py", "lock_data"
        )
        yield blockbuster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test has printed, for the search at its end."""
    report = yield
    item.stash[PRINTED] = report.capstdout + report.capstderr
    return report


@pytest.fixture(autouse=True)
def no_secret_left(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Leftovers]:
    """
    Fail a test that has left a password or a token where people can read it.

    At its end there is a search through: every record of every logger, with its traceback, as it was made
    and whatever handlers or filters did with it; what was written to stdout and stderr, where Airflow 3's
    own loggers write without a record (unless pytest does not capture it, or the test reads it by
    itself); and what the tests' worker has seen go into Airflow's database or a task's log: XComs,
    template fields, triggers, events, errors.

    Airflow's masker, which would write *** for a password that it knows of, does nothing meanwhile: it
    must not be what hides a leak.
    """
    for masker in maskers():
        monkeypatch.setattr(masker, "add_mask", lambda *_, **__: None)
        monkeypatch.setattr(masker, "redact", lambda _, item, *__, **___: item)
        monkeypatch.setattr(masker, "filter", lambda *_: True)
    leftovers.forget()
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(leftovers.record)
    yield leftovers
    logging.setLogRecordFactory(factory)
    leftovers.leave(OUTPUT, request.node.stash.get(PRINTED, ""))
    leaks = leftovers.leaks()
    assert leaks.keys() == leftovers.expected, f"A secret can be read: {leaks}"


@pytest.fixture
def log_lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return what tasks have logged: outside of a worker, Airflow's loggers write to stdout."""

    def read() -> list[str]:
        printed = capfd.readouterr().out
        leftovers.leave(OUTPUT, printed)
        return printed.splitlines()

    return read
