"""A Snowflake and an Airflow of our own: in one folder, and on this machine's own address only."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from demo.api import Api
from demo.children import Child, Children
from demo.place import HOST, Place
from demo.stopping import pause
from demo.trouble import Trouble

CHECKOUT = Path(__file__).resolve().parent.parent
PLACE = Place(CHECKOUT / ".demo", users="make demo or make ui")
LOGS = PLACE.logs
TASK_LOGS = PLACE.task_logs

JOB_SECONDS = 25
"""How long a fine-tuning job of the emulator takes, if nothing else is said."""

COMPONENTS = {
    "api-server": ["api-server"],
    # A log server would listen on every address of this machine; the logs are at hand as files.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}

Answer = TypeVar("Answer")


class Deployment:
    """
    The emulator, and Airflow's four components, each a process.

    :param limit: after how many seconds of getting ready or running to give up.
    :param place: where all of it is.
    :param job_seconds: how long a fine-tuning job takes.
    """

    def __init__(
        self, *, limit: float, place: Place = PLACE, job_seconds: float = JOB_SECONDS
    ) -> None:
        self.place = place
        self.url = f"http://{HOST}:{free_port()}"
        self.api = Api(self.url)
        self._children = Children(folder=place.path, logs=place.logs)
        self._began = time.monotonic()
        self._limit = limit
        self._job_seconds = job_seconds
        self._lock: IO[str] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def start(self) -> None:
        """Start everything that stays; returns before it is ready."""
        self._lock = self.place.clear()
        environment = self.place.environment(settings(self.url))
        life = f"seconds:{self._job_seconds:g}"
        emulator = self._python(
            "emulator", environment, "airflow_provider_cortex.emulator", "--port=0", "--life", life
        )
        migration = self._python("db-migrate", environment, "airflow", "db", "migrate")
        self._finish(migration)
        connection = self.wait_for("the emulator", lambda: _exported(emulator.log.read_text()))
        for name, command in COMPONENTS.items():
            self._python(name, environment | connection, "airflow", *command)

    def end(self) -> None:
        """End everything; nothing need have been started."""
        self._children.end()
        self.api.close()
        if self._lock is not None:
            self._lock.close()

    def wait_for(self, what: str, look: Callable[[], Answer | None]) -> Answer:
        """Look again and again until there is an answer, and return it."""
        while (answer := look()) is None:
            self.check()
            if self.elapsed > self._limit:
                message = f"Gave up after {self._limit:.0f} s, waiting for {what}."
                raise Trouble(message, self.place.logs)
            pause(0.4)
        return answer

    def check(self) -> None:
        """Complain if one of the processes is no more."""
        child = self._children.ended()
        if child is not None:
            message = f"{child.name} ended by itself, with status {child.process.returncode}."
            raise Trouble(message, child.log)

    def _python(self, name: str, environment: dict[str, str], *command: str) -> Child:
        return self._children.start(name, [sys.executable, "-m", *command], environment)

    def _finish(self, child: Child) -> None:
        while child.process.poll() is None:
            pause(0.1)
        if child.process.returncode == 0:
            self._children.forget(child)
        self.check()


def settings(url: str) -> dict[str, str]:
    """Return Airflow's settings, by section and name."""
    return {
        "API__BASE_URL": url,
        "API__HOST": HOST,
        "API__PORT": url.rpartition(":")[2],
        # The one that Airflow makes for itself is too short for the library that uses it.
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(CHECKOUT / "example_dags"),
        # The default asks the network for this machine's name.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        # Nobody else reaches it: no password.
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # The run that we start is to be the only one.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _exported(greeting: str) -> dict[str, str] | None:
    """Return the variable that the emulator says to export, once it has said so."""
    line = re.search(r"^ *export (AIRFLOW_CONN_.*)\n", greeting, re.MULTILINE)
    if line is None:
        return None
    name, _, value = shlex.split(line[1])[0].partition("=")
    return {name: value}
