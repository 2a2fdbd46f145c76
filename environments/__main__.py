"""
The environments of the checkout.

    python3 -m environments install [NAME ...]   make these of environments.toml, or all
    python3 -m environments matrix [NAME ...]    run the tests in these, or in all that have some
    python3 -m environments pins                 choose the versions of all of them anew
    python3 -m environments uv                   print the path of uv
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from environments import uv
from environments.definition import Environment, environments
from environments.install import install
from environments.interpreters import MissingPythonError
from environments.matrix import run_matrix
from environments.pins import write_pins


def main(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name."""
    match arguments:
        case ["install", *names]:
            for environment in _named(names):
                install(environment)
        case ["matrix", *names]:
            run_matrix([environment for environment in _named(names) if environment.tests])
        case ["pins"]:
            write_pins()
        case ["uv"]:
            print(uv.required())
        case _:
            sys.exit(__doc__)


def _named(names: Sequence[str]) -> list[Environment]:
    known = environments()
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"There is no environment {unknown[0]!r}, only {', '.join(known)}.")
    return [known[name] for name in names or known]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} has failed, with exit status {error.returncode}.")
    except MissingPythonError as error:
        sys.exit(str(error))
