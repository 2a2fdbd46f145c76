"""Make one environment, unless it is there already."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from environments import interpreters, uv
from environments.definition import CHECKOUT, Environment, pyproject


def install(environment: Environment) -> None:
    """
    Make the environment, unless it was made from the same files.

    :raises MissingPythonError: this machine does not have its Python.
    :raises subprocess.CalledProcessError: the installer has failed, and has said why.
    """
    python = interpreters.find(environment.python)
    made = environment.folder / "made"
    made_from = _made_from(environment, python)
    if made.exists() and made.read_text(encoding="utf-8") == made_from:
        return
    versions = f"constraints/{environment.pins.name}" if environment.pins else "newest versions"
    folder = environment.folder.relative_to(CHECKOUT)
    print(f"== Installing into {folder}: {versions}, {python}", flush=True)
    began = time.monotonic()
    if uv.find():
        _with_uv(environment, python)
    else:
        _with_pip(environment, python)
    made.write_text(made_from, encoding="utf-8")
    print(f"== Installed in {time.monotonic() - began:.0f} s", flush=True)


def _made_from(environment: Environment, python: Path) -> str:
    """Return all that decides what is in the environment. Tools' settings do not."""
    pins = environment.pins.read_text(encoding="utf-8") if environment.pins else time.time()
    names = ("project", "dependency-groups", "build-system")
    tables = {name: pyproject()[name] for name in names}
    installed = [environment.project, environment.install, environment.groups]
    return json.dumps([str(python), str(environment.folder), installed, tables, pins], indent=1)


def _with_uv(environment: Environment, python: Path) -> None:
    uv.run("venv", "--clear", "--quiet", "--python", python, environment.folder)
    for arguments in _steps(environment):
        uv.run("pip", "install", "--python", environment.executable, *arguments)


def _with_pip(environment: Environment, python: Path) -> None:
    subprocess.run([python, "-m", "venv", "--clear", environment.folder], check=True)
    pip = [str(environment.executable), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    # The pip of Python 3.11 knows neither --group nor --build-constraint.
    subprocess.run([*pip, "--upgrade", "pip"], check=True)
    for arguments in _steps(environment):
        subprocess.run([*pip, "--no-compile", *arguments], check=True, cwd=CHECKOUT)


def _steps(environment: Environment) -> list[list[str]]:
    pins = environment.pins
    limits = ["--constraint", str(pins), "--build-constraint", str(pins)] if pins else []
    if environment.project:
        groups = [f"--group={group}" for group in environment.groups]
        return [[*limits, "--editable", ".[emulator]", *groups]]
    return [
        [*limits, *environment.install],
        [*limits, "--no-deps", "--editable", "."],
    ]
