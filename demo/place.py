"""The folder that a deployment has for itself."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from demo.trouble import Trouble

HOST = "127.0.0.1"
"""The only address that anything of a deployment listens on."""


@dataclass(frozen=True)
class Place:
    """
    A folder.

    :param users: the commands that use it, one at a time.
    """

    path: Path
    users: str

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def task_logs(self) -> Path:
        return self.path / "airflow" / "logs"

    def clear(self) -> IO[str]:
        """Make the folder empty, and return the lock on it."""
        self.path.mkdir(exist_ok=True)
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{self.users} is running in this checkout already."
            raise Trouble(message) from None
        for old in self.path.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        for folder in "airflow", "home", "logs", "tmp":
            (self.path / folder).mkdir()
        return lock

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return what every process gets: nothing of another Airflow that the user may have."""
        foreign = re.compile("AIRFLOW|SNOWFLAKE|PYTHON|XDG_")
        kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        ours = {
            # Whoever writes to the home directory (the Snowflake driver does) is to write here.
            "HOME": str(self.path / "home"),
            "TMPDIR": str(self.path / "tmp"),
            "AIRFLOW_HOME": str(self.path / "airflow"),
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }
        return kept | ours | {f"AIRFLOW__{name}": value for name, value in settings.items()}
