"""Airflow as a team runs it: several workers and triggerers, PostgreSQL, and a message broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from cluster.services import Broker
from tools.deployment import EXAMPLE_DAGS, NO_LOG_SERVER, Deployment, airflow_settings
from tools.postgres import Database
from tools.processes import ChildProcess
from tools.workspace import Workspace

DAGS = Path(__file__).parent / "dags"

TIMEOUT = 720.0
"""Seconds after which a run that has not finished fails."""

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", NO_LOG_SERVER],
    "dag-processor": ["dag-processor"],
    "triggerer-1": ["triggerer", NO_LOG_SERVER],
    "triggerer-2": ["triggerer", NO_LOG_SERVER],
    "worker-1": ["celery", "worker", NO_LOG_SERVER, "--celery-hostname=worker-1"],
    "worker-2": ["celery", "worker", NO_LOG_SERVER, "--celery-hostname=worker-2"],
}

SLOTS = 4
"""How many tasks a worker runs at the same time."""

PRELOADED = [
    "airflow.providers.snowflake.hooks.snowflake",
    "airflow_provider_cortex.hooks",
    "airflow_provider_cortex.operators",
    "airflow_provider_cortex.sensors",
    "snowflake.connector",
]
"""What a worker imports once, instead of every task importing it."""


class ClusterDeployment(Deployment):
    """
    PostgreSQL, Valkey and every component of Airflow, each in processes of its own.

    :param emulator: Snowflake; it runs in this process.
    :param slow_emulator: another account, for the connection ``snowflake_slow``.
    """

    def __init__(self, emulator: Emulator, slow_emulator: Emulator) -> None:
        workspace = Workspace(".cluster", commands="make cluster")
        super().__init__(workspace=workspace, timeout=TIMEOUT)
        self.emulator = emulator
        self.slow_emulator = slow_emulator
        self._components: dict[str, ChildProcess] = {}
        self._database: Database | None = None
        self._environment: dict[str, str] = {}

    def start(self) -> None:
        """Start everything. Returns before it is ready."""
        self.workspace.open()
        self.emulator.start()
        self.slow_emulator.start()
        database, broker = Database.new(self.workspace), Broker.new()
        self._database = database
        settings = airflow_settings(self.url) | _cluster_settings(database.url, broker.url)
        self._environment = (
            self.workspace.environment(settings)
            | self.emulator.environment
            | {"AIRFLOW_CONN_SNOWFLAKE_SLOW": self.slow_emulator.airflow_connection}
        )
        broker.start(self._processes, self._environment)
        self._start_database(database, self._environment)
        self._migrate_database(self._environment)
        for name in COMPONENTS:
            self.start_component(name)

    def stop(self) -> None:
        """Stop everything and remove the database."""
        super().stop()
        if self._database is not None:
            self._database.remove()
        self.emulator.close()
        self.slow_emulator.close()

    def start_component(self, name: str) -> None:
        child = self._start_airflow(name, self._environment, COMPONENTS[name])
        self._components[name] = child

    def kill_component(self, name: str) -> int:
        """Kill it, as a power failure would; return how many processes that were."""
        return self._processes.kill(self._components.pop(name))

    def pause_component(self, name: str) -> None:
        """Suspend it, like an overloaded machine."""
        self._processes.pause(self._components[name])

    def resume_component(self, name: str) -> None:
        self._processes.resume(self._components[name])

    def stop_component(self, name: str) -> None:
        """Stop it with SIGTERM, as an administrator would."""
        self._processes.stop([self._components.pop(name)])


def _cluster_settings(database: str, broker: str) -> dict[str, str]:
    """
    Return the settings that a cluster needs in addition to the usual ones.

    By default Airflow waits for minutes before it declares a component dead. Here it waits for
    seconds, so that the whole run takes five minutes.
    """
    return {
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [_bundle("cluster", DAGS), _bundle("examples", EXAMPLE_DAGS)]
        ),
        # New assets start DAGs as well.
        "SCHEDULER__USE_JOB_SCHEDULE": "True",
        "CORE__EXECUTOR": "CeleryExecutor",
        # Two tasks for each slot, so that no slot waits for the scheduler's next round. With more,
        # tasks would stay in the queue so long that Airflow takes them for lost.
        "CORE__PARALLELISM": str(2 * 2 * SLOTS),
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "CELERY__BROKER_URL": broker,
        "CELERY__WORKER_CONCURRENCY": str(SLOTS),
        "CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": PRELOADED}),
        # On two cores, a second process that asks for task states is not worth it.
        "CELERY__SYNC_PARALLELISM": "1",
        # The DAG files do not change.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # The usual 0.3 s is too much work for two cores here.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        # Seconds without a heartbeat after which a task counts as dead; the default is 300.
        # A task sends a heartbeat every 5 s. Two cores under full load may delay it to 15 s.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # For tasks that a dead worker fetched from the broker but did not begin.
        # The defaults are 600, checked every 120.
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        # For tasks that a stopped scheduler left behind; the default is 300.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        # Seconds until another triggerer adopts a dead one's triggers; the default is 30.
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "3",
    }


def _bundle(name: str, folder: Path) -> dict[str, Any]:
    """Return a DAG folder in the form of Airflow's configuration."""
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
