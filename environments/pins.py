"""Choose the versions of every environment: ``make pins``."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from environments import uv
from environments.definition import CHECKOUT, CONSTRAINTS, Environment, environments

_LOWEST_PYTHON = "3.11"


def write_pins() -> None:
    """Write each file in constraints/ anew, with the newest versions that fit together."""
    CONSTRAINTS.mkdir(exist_ok=True)
    for pins in {e.pins: None for e in environments().values() if e.pins}:
        print(f"== constraints/{pins.name}", flush=True)
        _write(pins, [e for e in environments().values() if e.pins == pins])


def _write(pins: Path, users: list[Environment]) -> None:
    """Choose versions that hold on every Python, for all environments with the same ones."""
    project = users[0].project
    groups = {f"--group={group}" for user in users for group in user.groups}
    sources = ["pyproject.toml", "--extra=emulator", *sorted(groups)] if project else []
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{line}\n" for line in _requirements(users))
        file.flush()
        uv.run(
            "pip", "compile", *sources, file.name, "--upgrade", "--universal",
            f"--python-version={_LOWEST_PYTHON}", "--no-header", "--no-annotate",
            "--quiet", "--output-file", pins,
        )  # fmt: skip
    names = " and ".join(user.name for user in users)
    head = f"# make pins has written this, for {names} in environments/environments.toml.\n"
    pins.write_text(head + pins.read_text(encoding="utf-8"), encoding="utf-8")


def _requirements(users: Iterable[Environment]) -> list[str]:
    """What the environments name, and what builds this package."""
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    build = tomllib.loads(text)["build-system"]["requires"]
    return [*(line for user in users for line in user.install), *build, "editables"]
