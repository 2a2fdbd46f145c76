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
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests.secret_scan import OUTPUT, PASSWORD, XCOMS, Leftovers, leftovers, maskers
from tests.xcoms import XComs

# Only tests import what takes seconds to load: pytest-xdist's first process runs none of them,
# and the others would wait for it.
if TYPE_CHECKING:
    from airflow_provider_cortex.emulator import Emulator
    from tests.received_statements import Received
    from tests.worker import Worker

# Airflow reads its settings when it is imported.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="cortex-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
DAGS = AIRFLOW_HOME / "dags"
for folder in "example_dags", "docs/examples", "tests/dags":
    source = Path(__file__).parents[1] / folder
    shutil.copytree(source, DAGS, dirs_exist_ok=True, ignore=shutil.ignore_patterns("test_*"))
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Airflow 2 warns without it.
    "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    # The driver keeps its caches here.
    "XDG_CACHE_HOME": str(AIRFLOW_HOME / "cache"),
    # At each login it would ask the clouds' metadata hosts where it runs.
    "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
    # Without it, the search for a proxy in the environment takes an eighth of a test's time.
    "no_proxy": "127.0.0.1",
}

gc.disable()  # until everything is imported: nothing of it is garbage, and it saves a fifth

PRINTED = pytest.StashKey[str]()


def pytest_collection(session: pytest.Session) -> None:
    """Let no property test fail because the machine is busy."""
    if session.config.getoption("numprocesses", None):
        return
    from hypothesis import HealthCheck, settings

    # Few examples: the suite runs in many environments, with others in each.
    settings.register_profile(
        "tests", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests that take longest."""
    items.sort(key=lambda item: "test_example_dags" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Import the driver, too, which takes as long as some tests may wait."""
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    from tests import database_pool, driver_pauses

    database_pool.reuse_databases()
    driver_pauses.shorten()
    # At each login it would list all modules, for telemetry that is off here.
    DEFAULT_CONFIGURATION["log_imported_packages_in_telemetry"] = (False, bool)
    # Imported modules are never garbage, except at the end, where some libraries check for leaks.
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.enable()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the part of Airflow 2's database that its sensors read, once."""
    from airflow import settings
    from airflow.models.taskreschedule import TaskReschedule

    vars(TaskReschedule)["__table__"].create(settings.engine, checkfirst=True)


@pytest.fixture
def cortex_emulator() -> Iterator[Emulator]:
    """
    Run an emulator, unlike the plugin's on plain HTTP: over HTTPS a login takes half as long again.

    The waits are those of a real task: the tests pass a clock.
    """
    from airflow_provider_cortex.emulator import Emulator

    with Emulator(tls=False) as emulator:
        yield emulator


@pytest.fixture
def connection(cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the emulator the default connection, with short timeouts of the driver."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["password"] = PASSWORD
    settings["extra"] |= {"login_timeout": 1, "network_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    return "snowflake_default"


@pytest.fixture
def one_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a trigger poll at once: there are no others with which to share a statement."""
    from airflow_provider_cortex.waiting import shared_client

    monkeypatch.setattr(shared_client, "GATHER_SECONDS", 0.001)


@pytest.fixture
def worker(request: pytest.FixtureRequest, one_trigger: None) -> Worker:
    """Run tasks as Airflow does, without waiting."""
    from tests.worker import AIRFLOW_2, Worker

    if AIRFLOW_2:  # its sensors read in its database when they were first rescheduled
        request.getfixturevalue("airflow_database")
    return Worker()


@pytest.fixture
def years(connection: str, cortex_emulator: Emulator) -> None:
    """Have a tuned model that knows some years."""
    from airflow_provider_cortex.emulator import Life
    from tests import tasks

    cortex_emulator.query_life = Life.at_once()
    cortex_emulator.jobs.add(model=tasks.MODEL, pairs=tasks.PAIRS, life=Life.at_once())


@pytest.fixture
def received(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> Received:
    """Return the statements that an account receives; it runs none of them, which is faster."""
    from tests.received_statements import Received

    cortex_emulator.calls_per_statement = 0
    monkeypatch.setattr(logging.getLogger("fakesnow.server"), "disabled", True)
    return Received(cortex_emulator)


@pytest.fixture
def time_is_up_at_the_end(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task's execution_timeout pass while the driver closes its session."""
    import snowflake.connector

    close = snowflake.connector.SnowflakeConnection.close

    def struck(*arguments: Any, **options: Any) -> None:
        close(*arguments, **options)
        signal.raise_signal(signal.SIGALRM)  # as Airflow's own timer does

    monkeypatch.setattr(snowflake.connector.SnowflakeConnection, "close", struck)


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Iterator[XComs]:
    """Give triggers a table of XComs."""
    table = XComs()
    monkeypatch.setattr("airflow_provider_cortex.airflow_api.compat.XCom", table)
    yield table
    leftovers.leave(XCOMS, json.dumps(table))


@pytest.fixture(scope="session", autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Fail a test in which this package's code blocks an event loop."""
    with blockbuster_ctx("airflow_provider_cortex") as blockbuster:
        # Coverage takes a lock in code that it has not seen yet.
        blockbuster.functions["threading.Lock.acquire"].can_block_in(
            "coverage/collector.py", "lock_data"
        )
        # It reads no file here: the path of a stage is absolute.
        blockbuster.functions["os.path.abspath"].can_block_in(
            "fakesnow/server.py", "gcs_stage_info"
        )
        # The garbage collector calls it, in whichever thread.
        for function in blockbuster.functions.values():
            function.can_block_in("snowflake/connector/storage_client.py", "delete_client_data")
        yield blockbuster


@pytest.fixture(autouse=True)
def no_internal_error() -> Iterator[None]:
    """Fail a test in which the emulator had a bug: for its client that is an ordinary SQL error."""
    log = logging.getLogger("airflow_provider_cortex.emulator.http_app")
    log.disabled = False  # Airflow disables loggers that exist when it sets up its own
    errors = BufferingHandler(capacity=100)
    errors.setLevel(logging.ERROR)
    log.addHandler(errors)
    yield
    log.removeHandler(errors)
    assert [record.getMessage() for record in errors.buffer] == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test has printed, for the scan at its end."""
    report = yield
    item.stash[PRINTED] = report.capstdout + report.capstderr
    return report


@pytest.fixture(autouse=True)
def no_secret_left(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Leftovers]:
    """
    Fail a test that has left a password or a token where people can read it.

    At its end the scan reads every record of every logger, with its traceback, before handlers and
    filters; what was written to stdout and stderr, where Airflow 3's own loggers write without a
    record (unless pytest does not capture it, or the test reads it itself); and what the tests'
    worker has written into Airflow's database or a task's log: XComs, template fields, triggers,
    events, errors.

    Airflow's masker, which writes *** for a password that it knows, is off: it must hide no leak.
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
    """Return what tasks have logged: outside a worker, Airflow's loggers write to stdout."""

    def read() -> list[str]:
        printed = capfd.readouterr().out
        leftovers.leave(OUTPUT, printed)
        return printed.splitlines()

    return read
