"""What the pages say of settings, metrics, statuses and arguments is what the code has."""

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_cortex import operators, sensors
from airflow_provider_cortex.airflow_api import polling_metrics
from airflow_provider_cortex.cli.definition import WRONG_USAGE
from airflow_provider_cortex.cli.exit_status import ExitStatus
from airflow_provider_cortex.provider_info import OPTIONS, get_provider_info
from airflow_provider_cortex.tasks.base import CortexTask
from tests.docs.pages import CHECKOUT, DOCS, PAGES, README, name, read

TASKS = [
    task
    for module in (operators, sensors)
    for _, task in inspect.getmembers(module, inspect.isclass)
    if issubclass(task, CortexTask) and task.__module__.startswith(module.__name__)
]


def test_the_metrics_are_those_of_the_code() -> None:
    """Each metric that is sent has a row, and each row is one that is sent."""
    sent = set(re.findall(r'"(cortex\.\w+)"', inspect.getsource(polling_metrics)))
    assert set(re.findall(r"^\| `(cortex\.\w+)`", read("reference/metrics"), re.MULTILINE)) == sent


def test_the_exit_statuses_are_those_of_the_code() -> None:
    """The table for scripts has each exit status, and no other one."""
    rows = re.findall(r"^\| `?(\d+)`? \|", read("how-to/watch-jobs"), re.MULTILINE)
    assert sorted(map(int, rows)) == sorted([*map(int, ExitStatus), WRONG_USAGE])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_an_unknown_setting(page: Path) -> None:
    """A setting that a page names exists."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`\[cortex\] (\w+)", text))
    named |= {setting.lower() for setting in re.findall(r"AIRFLOW__CORTEX__(\w+)", text)}
    assert named <= OPTIONS.keys()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_docstrings_mark_the_templated_arguments(task: type[CortexTask]) -> None:
    """Each argument that is templated says so, and no other one does."""
    described = re.findall(
        r":param (\w+):(.*?)(?=:param|:raises|\Z)", task.__doc__ or "", re.DOTALL
    )
    marked = {argument for argument, text in described if "(templated)" in text}
    assert marked == set(task.template_fields) - set(CortexTask.template_fields)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__)
def test_the_reference_has_every_task(task: type[CortexTask]) -> None:
    """Each operator, and the sensor, is in the reference."""
    package, kind, *_ = task.__module__.split(".")
    assert f"autoclass:: {package}.{kind}.{task.__name__}\n" in read(f"reference/{kind}")


def test_airflow_s_list_of_providers_links_to_every_guide() -> None:
    """``how-to-guide`` in the provider's info names the guides that exist."""
    (integration,) = get_provider_info()["integrations"]
    guides = {str(p.relative_to(CHECKOUT)) for p in DOCS.glob("how-to/*.md")}
    assert set(integration["how-to-guide"]) == guides - {"docs/how-to/index.md"}


def test_the_readme_s_first_dag_is_the_tutorial_s() -> None:
    """The test of the example DAGs runs it."""
    dag = (DOCS / "examples" / "triage.py").read_text(encoding="utf-8")
    assert f"```python\n{dag}```" in README.read_text(encoding="utf-8")


def test_the_readme_is_short() -> None:
    """The README has at most 900 words: the site has the rest."""
    assert len(README.read_text(encoding="utf-8").split()) <= 900


def test_the_readme_s_links_lead_somewhere() -> None:
    """Sphinx checks the links between the pages of the site; these are the README's."""
    links = re.findall(r"\]\((?!https://)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (CHECKOUT / link).exists()] == []
