"""What importing this package adds to a DAG file: ``python -m benchmarks.imports``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.table import table

PROCESSES = 10
SMALL = 1
"""One process only shows that this runs."""

TARGET = 30
"""Milliseconds."""

HEAVY = ("snowflake.connector", "pandas", "fastapi", "openlineage", "fakesnow")

BASES = {
    "`import airflow.sdk`": "import airflow.sdk",
    "`from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, Variable`": (
        "from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, Variable"
    ),
}

OURS = ("sensors", "triggers", "operators")

CODE = """
import json, sys, time

{base}
before = set(sys.modules)
began = time.perf_counter()
{imports}
milliseconds = 1000 * (time.perf_counter() - began)
heavy = {heavy}
print(json.dumps({{
    "milliseconds": milliseconds,
    "modules": len(set(sys.modules) - before),
    "came_before": [name for name in heavy if name in before],
    "came_with_us": [name for name in heavy if name in set(sys.modules) - before],
}}))
"""

TEXT = f"""\
## Importing it

What `import airflow_provider_cortex.{", .".join(OURS)}` takes after what stands in the first column: the
median of {{processes}} fresh processes, and the fastest. `airflow.sdk` itself loads what is asked of it only, so
the first line has in it what any operator and sensor needs."""


def report(processes: int = PROCESSES) -> str:
    """Measure, and return it as Markdown."""
    _measure("\n".join(BASES.values()))  # compiles
    rows = []
    for name, base in BASES.items():
        measured = [_measure(base) for _ in range(processes)]
        milliseconds = [one["milliseconds"] for one in measured]
        rows.append(
            [
                name,
                f"{median(milliseconds):.0f}",
                f"{min(milliseconds):.0f}",
                str(measured[0]["modules"]),
                ", ".join(measured[0]["came_before"]) or "-",
                ", ".join(measured[0]["came_with_us"]) or "-",
            ]
        )
    heads = ("after", "median ms", "least ms", "modules added", "heavy before", "heavy added")
    note = f"Target: {TARGET} ms, and of {', '.join(HEAVY)} none added."
    return "\n\n".join([TEXT.format(processes=processes), table(heads, rows), note])


def _measure(base: str) -> dict[str, Any]:
    imports = "import " + ", ".join(f"airflow_provider_cortex.{name}" for name in OURS)
    code = CODE.format(base=base, imports=imports, heavy=HEAVY)
    with TemporaryDirectory(prefix="cortex-benchmark-") as folder:
        # An empty PYTHONDONTWRITEBYTECODE is none: pip, too, compiles what it installs.
        ran = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", code],
            env=os.environ | {"AIRFLOW_HOME": folder, "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    measured: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    print(report())  # noqa: T201 - it is a command
