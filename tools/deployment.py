"""A complete Airflow on this machine, in one folder and on the loopback address only."""

from __future__ import annotations

import secrets
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tools.errors import ToolError
from tools.network import HOST, free_port, is_listening
from tools.postgres import Database
from tools.processes import ChildProcess, ChildProcesses
from tools.rest_api import RestApi
from tools.signals import sleep
from tools.workspace import CHECKOUT, Workspace

EXAMPLE_DAGS = CHECKOUT / "example_dags"
EXAMPLE_DAG_ID = "fine_tune_and_complete"

# A log server would listen on all addresses of this machine, and we read the logs from files.
NO_LOG_SERVER = "--skip-serve-logs"

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", NO_LOG_SERVER],
    "triggerer": ["triggerer", NO_LOG_SERVER],
    "dag-processor": ["dag-processor"],
}
"""The arguments of ``airflow`` that start each component of a small Airflow."""

Result = TypeVar("Result")


class Deployment(ABC):
    """
    Airflow's components, each in a process of its own. A subclass says what to start.

    :param workspace: the folder for all files.
    :param timeout: seconds after which every wait fails, counted from now.
    """

    def __init__(self, *, workspace: Workspace, timeout: float) -> None:
        self.workspace = workspace
        self.url = f"http://{HOST}:{free_port()}"
        self.api = RestApi(self.url)
        self._processes = ChildProcesses(cwd=workspace.path, logs=workspace.logs)
        self._created_at = time.monotonic()
        self._timeout = timeout

    @property
    def elapsed(self) -> float:
        """Seconds since this object was created."""
        return time.monotonic() - self._created_at

    @abstractmethod
    def start(self) -> None:
        """Start all processes."""

    def stop(self) -> None:
        """Stop all processes. Does nothing if none has started."""
        self._processes.stop_all()
        self.api.close()
        self.workspace.close()

    def wait_for(self, what: str, poll: Callable[[], Result | None]) -> Result:
        """
        Call *poll* until it returns something else than None, and return that.

        :raises ToolError: if the timeout passes, or a process ends.
        """
        while (result := poll()) is None:
            self.check_processes()
            if self.elapsed > self._timeout:
                message = f"Timed out after {self._timeout:.0f} s while waiting for {what}."
                raise ToolError(message, self.workspace.logs)
            sleep(0.4)
        return result

    def wait_for_api_server(self) -> None:
        """Wait until Airflow answers requests."""
        self.wait_for("Airflow's API server", lambda: self.api.get("/version"))

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow has parsed the DAG's file."""
        self.wait_for(f"the DAG {dag_id}", lambda: self.api.get(f"/dags/{dag_id}"))

    def check_processes(self) -> None:
        """
        Check that all processes are running.

        :raises ToolError: if one has ended.
        """
        child = self._processes.find_ended()
        if child is not None:
            message = f"{child.name} ended unexpectedly with status {child.process.returncode}."
            raise ToolError(message, child.log)

    def _start_database(self, database: Database, environment: Mapping[str, str]) -> None:
        """Start PostgreSQL, and wait until it listens."""
        self._run_to_end(database.initialize(self._processes, environment))
        database.start(self._processes, environment)
        self.wait_for("PostgreSQL", lambda: is_listening(database.port) or None)

    def _migrate_database(self, environment: Mapping[str, str]) -> None:
        self._run_to_end(self._start_airflow("db-migrate", environment, ["db", "migrate"]))

    def _start_airflow(
        self, name: str, environment: Mapping[str, str], arguments: Sequence[str]
    ) -> ChildProcess:
        return self._start_python(name, environment, ["airflow", *arguments])

    def _start_python(
        self, name: str, environment: Mapping[str, str], arguments: Sequence[str]
    ) -> ChildProcess:
        """Start a Python module as a process."""
        return self._processes.start(name, [sys.executable, "-m", *arguments], environment)

    def _run_to_end(self, child: ChildProcess) -> None:
        """Wait until the process has ended with status 0."""
        while child.process.poll() is None:
            sleep(0.1)
        if child.process.returncode == 0:
            self._processes.forget(child)
        self.check_processes()


def airflow_settings(url: str) -> dict[str, str]:
    """
    Return Airflow's settings, by section and name.

    :param url: where the API server is to listen.
    """
    return {
        "API__BASE_URL": url,
        "API__HOST": HOST,
        "API__PORT": url.rpartition(":")[2],
        # The library that uses it warns that the secret generated by Airflow is too short.
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
        # The default asks the network for this machine's name.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        # Only this machine reaches it, so it needs no password.
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # Only runs that we start.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
