"""Airflow as a team runs it: several workers and triggerers, PostgreSQL, a broker."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from cluster.services import Broker, Database
from demo.children import Child
from demo.deployment import CHECKOUT, Deployment, settings
from demo.place import HOST, Place

PLACE = Place(CHECKOUT / ".cluster", users="make cluster")
DAGS = Path(__file__).parent / "dags"
EXAMPLES = CHECKOUT / "example_dags"

LIMIT = 720.0
"""Seconds after which a run that is not over has failed."""

COMPONENTS = {
    "api-server": ["api-server"],
    # As in the demo: the logs are at hand as files.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer-1": ["triggerer", "--skip-serve-logs"],
    "triggerer-2": ["triggerer", "--skip-serve-logs"],
    "worker-1": ["celery", "worker", "--skip-serve-logs", "--celery-hostname=worker-1"],
    "worker-2": ["celery", "worker", "--skip-serve-logs", "--celery-hostname=worker-2"],
}

SLOTS = 4
"""How many tasks a worker runs at once."""

PRELOADED = [
    "airflow.providers.snowflake.hooks.snowflake",
    "airflow_provider_cortex.hooks",
    "airflow_provider_cortex.operators",
    "airflow_provider_cortex.sensors",
    "snowflake.connector",
]
"""What a worker imports once, and not each of its tasks anew."""


class Cluster(Deployment):
    """
    PostgreSQL, Valkey and every component of Airflow, each in processes of its own.

    :param emulator: Snowflake; it runs in this process.
    """

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(limit=LIMIT, place=PLACE)
        self.emulator = emulator
        self._components: dict[str, Child] = {}
        self._database: Database | None = None
        self._environment: dict[str, str] = {}

    def start(self) -> None:
        """Start everything; returns before it is ready."""
        self._lock = self.place.clear()
        database, broker = Database.new(self.place), Broker.new()
        self._database = database
        self._environment = self.place.environment(
            settings(self.url) | _settings(database.url, broker.url)
        ) | {"AIRFLOW_CONN_SNOWFLAKE_DEFAULT": self.emulator.airflow_connection}
        broker.start(self._children, self._environment)
        self._finish(database.make(self._children, self._environment))
        database.start(self._children, self._environment)
        self.wait_for("PostgreSQL", lambda: _listens(database.port))
        self._finish(self._python("db-migrate", self._environment, "airflow", "db", "migrate"))
        for name in COMPONENTS:
            self.start_component(name)

    def end(self) -> None:
        super().end()
        if self._database is not None:
            self._database.remove()
        self.emulator.close()

    def start_component(self, name: str) -> None:
        self._components[name] = self._python(name, self._environment, "airflow", *COMPONENTS[name])

    def kill_component(self, name: str) -> int:
        """End it as its machine's death would; return how many processes that were."""
        return self._children.kill(self._components.pop(name))

    def pause_component(self, name: str) -> None:
        """Let it stand still, as a machine does that has too much to do."""
        self._children.pause(self._components[name])

    def resume_component(self, name: str) -> None:
        self._children.resume(self._components[name])

    def end_component(self, name: str) -> None:
        """End it as an operator does."""
        self._children.end_some([self._components.pop(name)])


def _settings(database: str, broker: str) -> dict[str, str]:
    """
    Return what a cluster needs beyond what the demo has.

    Where Airflow waits for minutes before it takes a component for dead, it waits for seconds here:
    the whole run takes five minutes.
    """
    return {
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [_bundle("cluster", DAGS), _bundle("examples", EXAMPLES)]
        ),
        # Assets have DAGs run, too.
        "SCHEDULER__USE_JOB_SCHEDULE": "True",
        "CORE__EXECUTOR": "CeleryExecutor",
        # Two tasks for each slot, so that no slot waits for the scheduler's next round; and no more, so
        # that none is long in the queue: one that is was lost.
        "CORE__PARALLELISM": str(2 * 2 * SLOTS),
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "CELERY__BROKER_URL": broker,
        "CELERY__WORKER_CONCURRENCY": str(SLOTS),
        "CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": PRELOADED}),
        # A process more for asking after tasks is not worth it on two cores.
        "CELERY__SYNC_PARALLELISM": "1",
        # The DAG files do not change.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # The demo is in more of a hurry than two cores allow here.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        # Seconds without a sign of life after which a task's worker is dead: 300 by default. A task says
        # that it lives every 5 s; two cores with a full load may make that 15.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # What a dead worker has fetched from the broker, but not begun: 600 by default, looked for every 120.
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        # What a scheduler that is gone has left behind: 300 by default.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        # After so many seconds another triggerer takes over what a dead one had: 30 by default.
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "3",
    }


def _bundle(name: str, folder: Path) -> dict[str, Any]:
    """Return a DAG folder as Airflow's configuration has it."""
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }


def _listens(port: int) -> bool | None:
    """Return True, or None as long as it does not."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return None
    return True
