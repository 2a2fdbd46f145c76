"""``python -m benchmarks.emulator``: an emulated Cortex behind a network, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow_provider_cortex.emulator import Emulator

LOGIN_DELAY = 0.5
STATEMENT_DELAY = 0.15
"""Seconds: a network's."""


@dataclass(frozen=True, slots=True)
class Cortex:
    """Where the emulator is."""

    url: str
    connection: str
    """For ``AIRFLOW_CONN_SNOWFLAKE_DEFAULT``."""
    authorities: str
    """The file with the certificates to trust."""


@contextmanager
def behind_a_network(folder: Path) -> Iterator[tuple[Emulator, str]]:
    """Run an emulator in this process; give it, and a line that tells another one where it is."""
    with Emulator(tls=folder, login_delay=LOGIN_DELAY, statement_delay=STATEMENT_DELAY) as emulator:
        cortex = Cortex(
            url=f"{emulator.protocol}://{emulator.host}:{emulator.port}/emulator",
            connection=emulator.airflow_connection,
            authorities=str(folder / "authorities.pem"),
        )
        yield emulator, json.dumps(asdict(cortex))


@contextmanager
def emulated(jobs: int) -> Iterator[Cortex]:
    """Run an emulator with so many jobs, all of them in progress for ever."""
    command = [sys.executable, "-m", "benchmarks.emulator", str(jobs)]
    with (
        TemporaryDirectory(prefix="cortex-benchmark-") as folder,
        # It ends when its input does, so it cannot outlive us.
        subprocess.Popen(  # noqa: S603 - our own command
            [*command, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - for mypy
        yield Cortex(**json.loads(process.stdout.readline()))
        process.communicate()


def environment(cortex: Cortex, folder: str) -> dict[str, str]:
    """Return the environment of who waits: nothing of another Airflow that the user may have."""
    foreign = re.compile("AIRFLOW|SNOWFLAKE|XDG_")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return kept | {
        "AIRFLOW_HOME": folder,
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": cortex.connection,
        "HOME": folder,  # the driver keeps its caches there
        "NO_PROXY": "127.0.0.1",
        "REQUESTS_CA_BUNDLE": cortex.authorities,
        "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        "SSL_CERT_FILE": cortex.authorities,
    }


def main() -> None:
    jobs, folder = int(sys.argv[1]), Path(sys.argv[2])
    with behind_a_network(folder) as (emulator, place):
        for number in range(jobs):
            emulator.jobs.stall(emulator.jobs.add(model=f"DB.S.MODEL_{number}").id)
        print(place, flush=True)  # noqa: T201 - to who started us
        sys.stdin.read()


if __name__ == "__main__":
    main()
