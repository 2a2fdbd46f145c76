"""What ``.ci/run`` runs."""

import os
import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
NEEDS_AN_ACCOUNT = {"live"}
"""It costs money. Its checks also run against the emulator, in make test."""

OPTIONS = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


def targets() -> set[str]:
    """Return the Makefile's phony targets."""
    database = subprocess.run(
        ["make", "--print-data-base", "--question", "help"],
        cwd=CHECKOUT,
        # Not the options of a make that runs these tests.
        env={name: value for name, value in os.environ.items() if name not in OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    (names,) = re.findall(r"^\.PHONY: (.*)$", database, flags=re.MULTILINE)
    return set(names.split())


def test_ci_runs_every_make_target():
    """.ci/run names each target of the Makefile but `live` and `pins`, on which a person decides."""
    lines = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.startswith("#"))
    named = set(" ".join(re.findall(r"\bmake (.*)", code)).split())
    assert targets() - named == {"live", "pins"}
