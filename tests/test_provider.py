"""What Airflow sees of the package before a task runs."""

import importlib
import importlib.metadata
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_provider_cortex
from airflow_provider_cortex.airflow_api.compat import HAS_PLUGIN_PAGES
from airflow_provider_cortex.provider_info import PACKAGE, get_provider_info
from airflow_provider_cortex.tasks.links import JOB_LINKS

pytestmark = pytest.mark.slow

HEAVY = ("snowflake.connector", "pandas", "fakesnow", "duckdb", "fastapi")


def run(code: str) -> str:
    """Run Python in a new process, and return the last line that it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    return ran.stdout.strip().splitlines()[-1]


def test_provider_info_fits_airflow_s_schema() -> None:
    """A violation would stop every airflow command."""
    schema = Path(airflow.__file__).with_name("provider_info.schema.json")
    jsonschema.validate(get_provider_info(), json.loads(schema.read_text(encoding="utf-8")))


def test_provider_info_has_no_none() -> None:
    """Absent values are left out: a null fails Airflow's schema."""
    assert "null" not in json.dumps(get_provider_info())


def test_provider_info_names_existing_modules() -> None:
    """Every module in it can be imported, and its version is the installed one."""
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for module in info[kind][0]["python-modules"]:
            importlib.import_module(module)
    assert info["versions"] == [importlib.metadata.version(PACKAGE)]


def test_airflow_finds_the_provider() -> None:
    """Airflow finds the package among its providers."""
    (entry,) = importlib.metadata.entry_points(
        group="apache_airflow_provider", module="airflow_provider_cortex.provider_info"
    )
    assert entry.load()() == get_provider_info()


def test_airflow_finds_the_page() -> None:
    """Airflow finds the page among its plugins; an Airflow that shows no pages gets none."""
    (entry,) = importlib.metadata.entry_points(
        group="airflow.plugins", module="airflow_provider_cortex.page.plugin"
    )
    plugin = entry.load()()
    plugin.validate()
    assert len(plugin.external_views) == len(plugin.fastapi_apps) == (1 if HAS_PLUGIN_PAGES else 0)
    assert len(JOB_LINKS) == (1 if HAS_PLUGIN_PAGES else 0)


def test_airflow_lists_modules_and_classes() -> None:
    """``airflow providers get --full`` shows the package's modules and its classes."""
    command = [sys.executable, "-m", "airflow", "providers", "get", PACKAGE, "--full"]
    shown = subprocess.run(
        [*command, "--output", "json"], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    for name in ("hooks", "operators", "sensors", "triggers"):
        assert f"airflow_provider_cortex.{name}" in shown
    for name in (
        "Hook",
        "FineTuneOperator",
        "CompleteOperator",
        "FineTuneSensor",
        "FineTuneTrigger",
    ):
        assert f"Cortex{name}" in shown


def test_importing_loads_nothing_heavy() -> None:
    """A DAG file is parsed every 30 s: that loads neither the driver nor pandas."""
    modules = [
        "cli.definition",
        "hooks",
        "operators",
        "page.plugin",
        "provider_info",
        "sensors",
        "triggers",
        "waiting.shared_client",
    ]
    loaded = run(
        # What Airflow loads for every DAG file and every plugin: FastAPI, on Airflow 3.0.
        "import sys, airflow.models.dag, airflow.plugins_manager; before = set(sys.modules);"
        f"import {', '.join(f'airflow_provider_cortex.{module}' for module in modules)};"
        f" print([name for name in {HEAVY} if name in sys.modules.keys() - before])"
    )
    assert loaded == "[]"


def test_importing_cortex_does_not_load_airflow() -> None:
    """What decides about Cortex can be used, and tested, without Airflow."""
    modules = [
        f"airflow_provider_cortex.cortex.{module.name}"
        for module in pkgutil.iter_modules(
            [str(Path(airflow_provider_cortex.__path__[0]) / "cortex")]
        )
    ]
    loaded = run(f"import sys, {', '.join(modules)}; print('airflow' in sys.modules)")
    assert loaded == "False"
