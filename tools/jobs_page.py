"""An Airflow with the jobs page, two Snowflake accounts, and a user who can sign in."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life
from tools.deployment import COMPONENTS, EXAMPLE_DAG_ID, Deployment, airflow_settings
from tools.job_history import AdjustableClock, make_tickets, run_past_jobs
from tools.rest_api import DagRun
from tools.workspace import Workspace

TIMEOUT = 240.0
"""Seconds for everything to become ready."""

USER, PASSWORD = "ann", "a-password-of-the-tests"

REFRESH_SECONDS = 1
"""How often the page polls: often, because the emulator costs nothing."""

LONG = Life.by_time(3600)
"""A job that runs longer than any test."""


class JobsPageDeployment(Deployment):
    """
    Airflow's four components, with a user, and the jobs page for two accounts.

    One account has a history; on request, a run of the example DAG waits for a job in it. The other
    account has one finished job. Both emulators run in this process.
    """

    def __init__(self) -> None:
        workspace = Workspace(".browser", commands="make browser or make pictures")
        super().__init__(workspace=workspace, timeout=TIMEOUT)
        self.clock = AdjustableClock()
        # This process logs in, too, and trusts no authority of the emulator.
        self.emulator = Emulator(clock=self.clock.time, tls=False)
        self.other = Emulator(tls=False)

    def start(self) -> None:
        """Start everything. Returns when the page can be opened."""
        self.workspace.open()
        self.emulator.start()
        self.other.start()
        environment = self._environment()
        self._migrate_database(environment)
        for name, arguments in COMPONENTS.items():
            self._start_airflow(name, environment, arguments)
        run_past_jobs(self.emulator, self.clock)
        pairs = tuple(make_tickets(99, seed=4))
        self.other.jobs.add(model="BERLIN.PUBLIC.ADDRESS_BOOK", pairs=pairs)
        self.emulator.life = LONG
        self.wait_for_api_server()
        self.api.sign_in(USER, PASSWORD)

    def stop(self) -> None:
        """Stop everything."""
        super().stop()
        self.emulator.close()
        self.other.close()

    def run_dag_until_deferred(self) -> tuple[DagRun, str]:
        """Run the example DAG until its sensor is deferred; return the run and the job's id."""
        self.wait_for_dag(EXAMPLE_DAG_ID)
        run = self.api.start_run(EXAMPLE_DAG_ID, run_id="browser")
        self.wait_for(
            "the sensor to be deferred",
            lambda: run.task_states().get("wait") == "deferred" or None,
        )
        return run, run.xcom("start")

    def _environment(self) -> dict[str, str]:
        passwords = self.workspace.path / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD}))
        settings = airflow_settings(self.url) | {
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "CORTEX__JOBS_PAGE_CONN_IDS": "snowflake_default,snowflake_eu",
            "CORTEX__JOBS_PAGE_REFRESH_SECONDS": str(REFRESH_SECONDS),
        }
        return (
            self.workspace.environment(settings)
            | self.emulator.environment
            | {"AIRFLOW_CONN_SNOWFLAKE_EU": _with_short_timeouts(self.other.airflow_connection)}
        )


def _with_short_timeouts(connection: str) -> str:
    """Return an Airflow connection whose driver gives up after a second."""
    fields: dict[str, Any] = json.loads(connection)
    fields["extra"] |= {"login_timeout": 1, "network_timeout": 1}
    return json.dumps(fields)
