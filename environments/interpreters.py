"""Which Python an environment is made with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from environments.definition import claimed_pythons


class MissingPythonError(Exception):
    """The machine has no Python of the version that an environment needs."""


def find(version: str | None) -> Path:
    """
    Return a Python of *version*, such as ``3.12``.

    None as the version is the Python that runs this; or, if this package does not support that
    one, the newest that it supports.

    :raises MissingPythonError: this machine has none.
    """
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    claimed = claimed_pythons()
    versions = [version] if version else [running, *reversed(claimed)]
    for wanted in versions:
        if wanted not in claimed:
            continue
        if wanted == running:
            return Path(sys.executable)
        for python in _candidates(wanted):
            if _is(python, wanted):
                return python
    raise MissingPythonError(
        f"no Python {version or ' or '.join(claimed)} found; "
        f"{_variable(version or claimed[-1])}=… names one"
    )


def _variable(version: str) -> str:
    return f"PYTHON{version.replace('.', '')}"


def _candidates(version: str) -> Iterator[Path]:
    if chosen := os.environ.get(_variable(version)):
        yield Path(chosen)
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    uv = Path.home() / ".local/share/uv/python"
    yield from sorted(uv.glob(f"cpython-{version}.*/bin/python{version}"), reverse=True)


def _is(python: Path, version: str) -> bool:
    """A shim of pyenv exists also for a Python that is not chosen, and then fails."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return False
    return answer.stdout.strip() == version
