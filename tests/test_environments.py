"""The environments in which the package is tested: environments/environments.toml."""

import re
from dataclasses import replace
from pathlib import Path

from environments.definition import claimed_pythons, environments
from environments.matrix import run_tests, table

DOCS = Path(__file__).parents[1] / "docs"
TESTED = [environment for environment in environments().values() if environment.tests]


def pinned_airflow(name: str) -> str | None:
    """Return the version of Airflow that the pins of an environment name."""
    pins = environments()[name].pins
    text = pins.read_text(encoding="utf-8") if pins else ""
    found = re.search(r"^apache-airflow==(.*)$", text, flags=re.MULTILINE)
    return found[1] if found else None


def test_each_python_that_the_package_claims_is_tested() -> None:
    """A classifier is a promise, so each version has an environment on every machine."""
    assert {environment.python for environment in TESTED} - {None} == set(claimed_pythons())


def test_each_environment_has_the_airflow_of_its_name() -> None:
    """`make pins` must not move an environment to another Airflow."""
    named = [name for name in environments() if re.match(r"\d", name)]
    assert len(named) >= 5
    for name in named:
        release = name.partition("-")[0]
        assert (pinned_airflow(name) or "").startswith(f"{release}."), name


def test_the_page_of_versions_names_each_tested_one() -> None:
    """docs/reference/compatibility.md has a row for each environment with tests."""
    page = (DOCS / "reference" / "compatibility.md").read_text(encoding="utf-8")
    rows = {
        (airflow, python)
        for airflow, python in re.findall(r"^\| (\d[\d.]*) \| (3\.\d+)", page, flags=re.MULTILINE)
    }
    pinned = {(pinned_airflow(one.name), one.python or "3.11") for one in TESTED if one.pins}
    assert rows == {row for row in pinned if row[0]}


def test_an_environment_without_its_python_is_skipped_by_name() -> None:
    """Its line of the table says what to set; nothing is installed, and nothing fails."""
    newer = replace(environments()["newest"], python="3.99")
    row = run_tests(newer)
    assert row.failed == 0
    (line,) = [line for line in table([row]).splitlines() if "newest" in line]
    assert "skipped: no Python 3.99 found; PYTHON399=" in line
