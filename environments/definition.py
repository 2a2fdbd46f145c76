"""What environments there are: environments.toml as typed records."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
CONSTRAINTS = CHECKOUT / "constraints"


@dataclass(frozen=True)
class Environment:
    """
    One environment. environments.toml says what each field means.

    :param python: the version of its Python, such as ``3.12``; None is the one that runs this.
    :param pins: the file that has its versions; None means the newest of everything.
    """

    name: str
    folder: Path
    python: str | None
    pins: Path | None
    project: bool
    install: tuple[str, ...]
    groups: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...]
    pytest: tuple[str, ...]

    @classmethod
    def parse(cls, table: dict[str, Any]) -> Environment:
        """Return the environment that a table of environments.toml describes."""
        name = table["name"]
        pins = table.get("pins", name)
        return cls(
            name=name,
            folder=CHECKOUT / table.get("folder", f".compat/{name}"),
            python=table.get("python"),
            pins=CONSTRAINTS / f"{pins}.txt" if pins else None,
            project=table.get("project", True),
            **{
                key: tuple(table.get(key, ()))
                for key in ("install", "groups", "tests", "without", "pytest")
            },
        )

    @property
    def executable(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"


def environments() -> dict[str, Environment]:
    """Return all environments by name, in the order of environments.toml."""
    text = Path(__file__).with_name("environments.toml").read_text(encoding="utf-8")
    all_of_them = map(Environment.parse, tomllib.loads(text)["environment"])
    return {environment.name: environment for environment in all_of_them}


@cache
def pyproject() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def claimed_pythons() -> list[str]:
    """Return the versions of Python that pyproject.toml claims, such as ``3.12``, lowest first."""
    prefix = "Programming Language :: Python :: 3."
    classifiers = pyproject()["project"]["classifiers"]
    minors = (int(text.removeprefix(prefix)) for text in classifiers if text.startswith(prefix))
    return [f"3.{minor}" for minor in sorted(minors)]
