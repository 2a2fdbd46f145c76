"""``python -m benchmarks.imports``: measure how long a DAG file takes to import this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tools.output import markdown_table, print_line

PROCESSES = 10
SMALL = 1
"""The number of processes that shows that this runs."""

TARGET = 25
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
    "heavy_before": [name for name in heavy if name in before],
    "heavy_added": [name for name in heavy if name in set(sys.modules) - before],
}}))
"""

TEXT = f"""\
## Importing it

How long `import airflow_provider_cortex.{", .".join(OURS)}` takes after the import
in the first column: the median of {{processes}} fresh processes, and the minimum. `airflow.sdk`
loads its parts on first use, so the first line includes what any operator and sensor loads."""


def report(processes: int = PROCESSES) -> str:
    """Measure, and return the results as Markdown."""
    _measure("\n".join(BASES.values()))  # compiles all modules
    rows = []
    for name, base in BASES.items():
        measured = [_measure(base) for _ in range(processes)]
        milliseconds = [process["milliseconds"] for process in measured]
        rows.append(
            [
                name,
                f"{median(milliseconds):.0f}",
                f"{min(milliseconds):.0f}",
                str(measured[0]["modules"]),
                ", ".join(measured[0]["heavy_before"]) or "-",
                ", ".join(measured[0]["heavy_added"]) or "-",
            ]
        )
    heads = ("after", "median ms", "min ms", "modules added", "heavy before", "heavy added")
    note = f"Target: {TARGET} ms, and none of {', '.join(HEAVY)} added."
    return "\n\n".join([TEXT.format(processes=processes), markdown_table(heads, rows), note])


def _measure(base: str) -> dict[str, Any]:
    imports = "import " + ", ".join(f"airflow_provider_cortex.{name}" for name in OURS)
    code = CODE.format(base=base, imports=imports, heavy=HEAVY)
    with TemporaryDirectory(prefix="cortex-benchmark-") as folder:
        # An empty PYTHONDONTWRITEBYTECODE means: compile, as pip does on installation.
        finished = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", code],
            env=os.environ | {"AIRFLOW_HOME": folder, "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    measured: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    print_line(report())
