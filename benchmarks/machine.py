"""The machine and the versions that were measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-snowflake",
    "airflow-provider-cortex",
    "snowflake-connector-python",
    "fakesnow",
)


def description() -> str:
    """Return them as one line. It contains nothing that identifies the machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}. {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}; {versions}."
    )
