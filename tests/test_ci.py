"""What ``.ci/run`` runs."""

import os
import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
OPTIONS = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


def rules() -> dict[str, set[str]]:
    """Return the Makefile's phony targets, with the prerequisites of each."""
    database = subprocess.run(
        ["make", "--print-data-base", "--question", "help"],
        cwd=CHECKOUT,
        # Not the options of a make that runs these tests.
        env={name: value for name, value in os.environ.items() if name not in OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = dict(re.findall(r"^([\w.-]+):(?!=) *(.*)$", database, flags=re.MULTILINE))
    return {target: set(found[target].split()) for target in found[".PHONY"].split()}


def test_ci_runs_every_make_target():
    """.ci/run names each target of the Makefile, compat-lowest by its whole: compat."""
    lines = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.startswith("#"))
    named = set(" ".join(re.findall(r"\bmake (.*)", code)).split())
    targets = rules()
    parts = {
        part
        for whole in targets.keys() & named
        for part in targets[whole]
        if part.startswith(f"{whole}-")
    }
    assert targets.keys() - named - parts == set()
