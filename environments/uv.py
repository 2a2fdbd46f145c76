"""The installer: uv if it can be had, or else pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from environments.definition import CHECKOUT

_VERSION = "uv==0.13.9"
_OWN = CHECKOUT / ".cache" / "uv"
"""Where uv is installed if the machine has none."""


@cache
def find() -> str | None:
    """Return uv's path, installing it into the checkout if need be; None if it cannot be had."""
    return shutil.which("uv") or _installed()


def required() -> str:
    """Return uv's path, for what pip cannot do."""
    return find() or sys.exit(f"This needs uv, which cannot be installed into {_OWN}.")


def run(*arguments: str | Path) -> None:
    """
    Run uv. Its progress is shown in a terminal, and only its errors elsewhere.

    :raises subprocess.CalledProcessError: uv has failed, and has said why.
    """
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    # Which Python there is must not depend on what uv would download.
    settings = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([required(), *quiet, *arguments], check=True, cwd=CHECKOUT, env=settings)


def _installed() -> str | None:
    path = _OWN / "bin" / "uv"
    if not path.exists():
        print(f"== Installing uv into {_OWN.relative_to(CHECKOUT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", _OWN], check=True)
        pip = [str(_OWN / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet"]
        if subprocess.run([*pip, _VERSION], check=False).returncode:
            print("== uv cannot be had. pip installs the rest, which takes minutes.", flush=True)
            return None
    return str(path)
