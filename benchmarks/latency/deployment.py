"""An Airflow with LocalExecutor and PostgreSQL, and the emulator as its Snowflake."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_cortex.emulator import Emulator
from tools.deployment import COMPONENTS, Deployment, airflow_settings
from tools.postgres import Database
from tools.workspace import Workspace

DAGS = Path(__file__).parent / "dags"

TASKS = 16
"""How many tasks run at the same time: a task in mode poke runs as long as its job."""


class LatencyDeployment(Deployment):
    """
    PostgreSQL, and Airflow's four components.

    :param emulator: Snowflake; it runs in this process.
    :param timeout: seconds after which every wait fails.
    """

    def __init__(self, emulator: Emulator, *, timeout: float) -> None:
        workspace = Workspace(".latency", commands="make bench")
        super().__init__(workspace=workspace, timeout=timeout)
        self.emulator = emulator
        self._database: Database | None = None

    def start(self) -> None:
        """Start everything. Returns when Airflow answers requests."""
        self.workspace.open()
        self.emulator.start()
        database = self._database = Database.new(self.workspace)
        settings = airflow_settings(self.url) | {
            "CORE__DAGS_FOLDER": str(DAGS),
            "CORE__PARALLELISM": str(TASKS),
            "DATABASE__SQL_ALCHEMY_CONN": database.url,
            # Airflow's default: a user feels this pause, too.
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        }
        environment = self.workspace.environment(settings) | self.emulator.environment
        self._start_database(database, environment)
        self._migrate_database(environment)
        for name, arguments in COMPONENTS.items():
            self._start_airflow(name, environment, arguments)
        self.wait_for_api_server()

    def stop(self) -> None:
        """Stop everything and remove the database."""
        super().stop()
        if self._database is not None:
            self._database.remove()
        self.emulator.close()
