"""An Airflow that has the page, two Snowflake accounts behind it, and people who sign in."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life
from browser.history import Calendar, live_through, tickets
from demo.api import Run
from demo.deployment import CHECKOUT, COMPONENTS, Deployment, settings
from demo.example import DAG_ID
from demo.place import Place

PLACE = Place(CHECKOUT / ".browser", users="make browser or make pictures")

LIMIT = 240.0
"""Seconds after which to give up getting ready."""

USER, PASSWORD = "ann", "a-password-of-the-tests"

REFRESH_SECONDS = 1
"""How often the page looks: nobody pays for it here."""

LONG = Life.by_time(3600)
"""A job that is not over as long as anybody looks."""


class PageDeployment(Deployment):
    """
    Airflow's four components, with users, and the page on two accounts.

    One account has a history, and a run of the example DAG that waits for its job; the other one has a job
    that is over. Both emulators run in this process.
    """

    def __init__(self) -> None:
        super().__init__(limit=LIMIT, place=PLACE)
        self.calendar = Calendar()
        self.emulator = Emulator(clock=self.calendar.time)
        self.other = Emulator()

    def start(self) -> None:
        """Start everything; returns when the page can be opened."""
        self._lock = self.place.clear()
        self.emulator.start()
        self.other.start()
        passwords = self.place.path / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD}))
        environment = self.place.environment(
            settings(self.url)
            | {
                "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
                "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
                "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
                "CORTEX__JOBS_PAGE_CONN_IDS": "snowflake_default,snowflake_eu",
                "CORTEX__JOBS_PAGE_REFRESH_SECONDS": str(REFRESH_SECONDS),
            }
        )
        environment |= {
            "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": self.emulator.airflow_connection,
            "AIRFLOW_CONN_SNOWFLAKE_EU": _impatient(self.other.airflow_connection),
        }
        self._finish(self._python("db-migrate", environment, "airflow", "db", "migrate"))
        for name, command in COMPONENTS.items():
            self._python(name, environment, "airflow", *command)
        live_through(self.emulator, self.calendar)
        self.other.jobs.add(model="BERLIN.PUBLIC.ADDRESS_BOOK", pairs=tuple(tickets(99, seed=4)))
        self.emulator.life = LONG
        self.wait_for("Airflow's api-server", lambda: self.api.get("/version"))
        self.api.sign_in(USER, PASSWORD)

    def end(self) -> None:
        super().end()
        self.emulator.close()
        self.other.close()

    def wait_in_dag(self) -> tuple[Run, str]:
        """Run the example DAG until its sensor waits in the triggerer; return the run, and the job's id."""
        self.wait_for(f"the DAG {DAG_ID}", lambda: self.api.get(f"/dags/{DAG_ID}"))
        run = self.api.start_run(DAG_ID, run_id="browser")
        self.wait_for("the sensor to wait", lambda: run.tasks().get("wait") == "deferred" or None)
        return run, run.xcom("start")


def _impatient(connection: str) -> str:
    """Return an Airflow connection with a driver that soon gives up."""
    told: dict[str, Any] = json.loads(connection)
    told["extra"] |= {"login_timeout": 1, "network_timeout": 1}
    return json.dumps(told)
