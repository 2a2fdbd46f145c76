"""The demo's Airflow, and the emulator as its Snowflake."""

from __future__ import annotations

import re
import shlex

from tools.deployment import COMPONENTS, Deployment, airflow_settings
from tools.workspace import Workspace

TIMEOUT = 150.0
"""Seconds after which the example's demo fails if it has not finished."""

JOB_SECONDS = 25
"""How long a fine-tuning job takes by default."""


class DemoDeployment(Deployment):
    """
    The emulator and Airflow's four components.

    :param job_seconds: how long a fine-tuning job takes.
    :param query_life: how long a statement without a session takes, as the emulator's option.
    :param timeout: seconds after which a demo that has not finished fails.
    """

    def __init__(
        self,
        *,
        job_seconds: float = JOB_SECONDS,
        query_life: str = "seconds:5",
        timeout: float = TIMEOUT,
    ) -> None:
        workspace = Workspace(".demo", commands="make demo, demo-weekly or ui")
        super().__init__(workspace=workspace, timeout=timeout)
        self._job_seconds = job_seconds
        self._query_life = query_life

    def start(self) -> None:
        """Start all processes. Returns before they are ready."""
        self.workspace.open()
        environment = self.workspace.environment(airflow_settings(self.url))
        life = f"seconds:{self._job_seconds:g}"
        emulator = self._start_python(
            "emulator",
            environment,
            [
                "airflow_provider_cortex.emulator",
                "--port=0",
                "--life",
                life,
                "--query-life",
                self._query_life,
                "--tls",
                str(self.workspace.path / "certificates"),
            ],
        )
        self._migrate_database(environment)
        exported = self.wait_for("the emulator", lambda: _exported(emulator.log.read_text()))
        for name, arguments in COMPONENTS.items():
            self._start_airflow(name, environment | exported, arguments)


def _exported(banner: str) -> dict[str, str] | None:
    """Return the variables that the emulator's banner exports, or None if it is not complete."""
    if "Use it from Python" not in banner:
        return None
    exports = re.findall(r"^ *export (.*)$", banner, re.MULTILINE)
    return dict(shlex.split(line)[0].split("=", 1) for line in exports)
