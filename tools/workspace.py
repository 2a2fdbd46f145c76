"""The folder in which a deployment keeps its files."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tools.environment import clean_environment
from tools.errors import ToolError

CHECKOUT = Path(__file__).resolve().parent.parent


class Workspace:
    """
    A folder in the checkout, used by one command at a time.

    :param name: the folder's name.
    :param commands: the commands that use it, for an error message.
    """

    def __init__(self, name: str, *, commands: str) -> None:
        self.path = CHECKOUT / name
        self.logs = self.path / "logs"
        self.task_logs = self.path / "airflow" / "logs"
        self._commands = commands
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """
        Lock the folder and empty it.

        :raises ToolError: if another process has locked it.
        """
        self.path.mkdir(exist_ok=True)
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{self._commands} is already running in this checkout."
            raise ToolError(message) from None
        self._lock = lock
        for old in self.path.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        for folder in "airflow", "home", "logs", "tmp":
            (self.path / folder).mkdir()

    def close(self) -> None:
        """Unlock the folder, if it is locked."""
        if self._lock is not None:
            self._lock.close()

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """
        Return the environment for every process of the deployment.

        :param settings: Airflow's settings, such as ``{"CORE__PARALLELISM": "4"}``.
        """
        return (
            clean_environment(home=str(self.path / "home"))
            | {"TMPDIR": str(self.path / "tmp"), "AIRFLOW_HOME": str(self.path / "airflow")}
            | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        )
