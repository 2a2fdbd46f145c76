"""An Airflow of the tests' own, and a Cortex for it to talk to."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Before anything imports Airflow, which reads its settings then.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="cortex-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
DAGS = Path(__file__).parents[1] / "example_dags"
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    # The driver keeps its caches here.
    "XDG_CACHE_HOME": str(AIRFLOW_HOME / "cache"),
    # At each login it asks the clouds' addresses where it runs.
    "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
}

import contextlib  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
import snowflake.connector  # noqa: E402 - loading it takes as long as some tests may wait
from blockbuster import BlockBuster, blockbuster_ctx  # noqa: E402

from airflow_provider_cortex.emulator import Emulator  # noqa: E402
from tests.worker import AIRFLOW_2, Worker  # noqa: E402


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make Airflow's database, once."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def connection(cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the emulator the default connection, with a driver that soon gives up."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"] |= {"login_timeout": 1, "network_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    return "snowflake_default"


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Worker:
    """Run tasks as Airflow would, in no time."""
    if AIRFLOW_2:  # whose sensors look up in its database when they were first rescheduled
        request.getfixturevalue("airflow_database")
    return Worker()


@pytest.fixture
def time_is_up_at_the_end(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task's execution_timeout pass while the driver closes its session, and never else."""
    close = snowflake.connector.SnowflakeConnection.close

    def struck(*arguments: Any, **options: Any) -> None:
        close(*arguments, **options)
        signal.raise_signal(signal.SIGALRM)  # what Airflow's own clock sends

    monkeypatch.setattr(snowflake.connector.SnowflakeConnection, "close", struck)


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Fail whatever of this package's code blocks an event loop."""
    with blockbuster_ctx("airflow_provider_cortex") as blockbuster:
        # Coverage has a lock of its own, wherever it comes to code that it has not seen yet.
        blockbuster.functions["threading.Lock.acquire"].can_block_in(
            "coverage/collector.py", "lock_data"
        )
        yield blockbuster


@pytest.fixture(autouse=True)
def no_old_secrets() -> None:
    """Have Airflow forget the secrets of other tests: it looks for each of them in whatever is logged."""
    with contextlib.suppress(ImportError):
        from airflow.sdk._shared.secrets_masker import reset_secrets_masker

        reset_secrets_masker()


@pytest.fixture
def log_lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return what tasks have logged: outside of a worker, Airflow's loggers write to stdout."""

    def read() -> list[str]:
        return capfd.readouterr().out.splitlines()

    return read
