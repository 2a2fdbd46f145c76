"""Run the tests in several environments, and print a table: ``make matrix``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from environments.definition import CHECKOUT, Environment
from environments.install import install
from environments.interpreters import MissingPythonError

REPORTS = CHECKOUT / ".compat" / "reports"
TABLE = REPORTS / "matrix.txt"
"""The table of the last run."""

_VERSIONS = """
import platform
from importlib.metadata import PackageNotFoundError, version
try:
    airflow = version("apache-airflow")
except PackageNotFoundError:
    airflow = "none"
print(airflow, platform.python_version())
"""


@dataclass(frozen=True)
class Row:
    """What became of the tests in one environment."""

    environment: str
    airflow: str = ""
    python: str = ""
    passed: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: int = 0
    note: str = field(default="", kw_only=True)


def run_matrix(chosen: Sequence[Environment]) -> None:
    """Run the tests of these environments and print a table. Exit with 1 if any has failed."""
    rows = [run_tests(environment) for environment in chosen]
    TABLE.write_text(table(rows), encoding="utf-8")
    print(f"\n{table(rows)}", end="", flush=True)
    sys.exit(any(row.failed for row in rows))


def run_tests(environment: Environment) -> Row:
    """Make the environment and run its tests, unless this machine lacks its Python."""
    try:
        install(environment)
    except MissingPythonError as error:
        return Row(environment.name, note=f"skipped: {error}")
    print(f"== Tests in {environment.name}", flush=True)
    began = time.monotonic()
    versions = subprocess.check_output([environment.executable, "-c", _VERSIONS], text=True)
    report = REPORTS / f"{environment.name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    without = [f"--ignore=tests/{folder}" for folder in environment.without]
    status = subprocess.run(
        [
            environment.executable, "-m", "pytest", "--quiet", f"--junit-xml={report}",
            *environment.pytest, *without, *environment.tests,
        ],
        cwd=CHECKOUT,
        check=False,
    ).returncode  # fmt: skip
    passed, skipped, failed = _counts(report)
    airflow, python = versions.split()
    return Row(
        environment.name,
        airflow,
        python,
        passed,
        skipped,
        failed or int(status != 0),
        round(time.monotonic() - began),
    )


def _counts(report: Path) -> tuple[int, int, int]:
    """Return how many tests have passed, were skipped, and have failed."""
    if not report.exists():
        return 0, 0, 0
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest has written it
    if suite is None:
        return 0, 0, 0
    tests, skipped, failures, errors = (
        int(suite.get(name, 0)) for name in ("tests", "skipped", "failures", "errors")
    )
    return tests - skipped - failures - errors, skipped, failures + errors


def table(rows: Sequence[Row]) -> str:
    """Return the table of these rows, as lines of text."""
    layout = "{:15} {:8} {:8} {:>6} {:>7} {:>6} {:>7}"
    heads = ("environment", "Airflow", "Python", "passed", "skipped", "failed", "seconds")
    lines = [
        f"{row.environment:15} {row.note}" if row.note else layout.format(*astuple(row)[:-1])
        for row in rows
    ]
    return "\n".join([layout.format(*heads), *lines, ""])
