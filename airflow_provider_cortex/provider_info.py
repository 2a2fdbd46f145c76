"""This package's entry in Airflow's list of providers."""

from __future__ import annotations

from typing import Any

PACKAGE = "airflow-provider-cortex"
INTEGRATION = "Snowflake Cortex fine-tuning"

GUIDES = (
    "answer-table",
    "cancel",
    "check-training-data",
    "connect",
    "grants",
    "managed-airflow",
    "metrics-and-lineage",
    "prepare-for-retirement",
    "react-to-jobs",
    "retrain-weekly",
    "run-on-new-model",
    "several-models",
    "test-your-dags",
    "train-again",
    "tune-document-extraction",
    "upgrade",
    "wait-for-any-job",
    "watch-jobs",
)
"""The how-to guides in this package's documentation."""

OPTIONS: dict[str, dict[str, Any]] = {
    "batch_size": {
        "description": (
            "The most fine-tuning jobs that one statement describes, for a"
            " triggerer or the jobs page."
        ),
        "version_added": "0.1.0",
        "type": "integer",
        "example": "50",
        "default": "200",
    },
    "jobs_page_conn_ids": {
        "description": (
            "The ids of the Snowflake connections whose jobs are on the page"
            ' "Cortex fine-tuning", separated by commas.'
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "snowflake_default,snowflake_eu",
        "default": "snowflake_default",
    },
    "jobs_page_refresh_seconds": {
        "description": (
            "Seconds between two polls of an account by that page. A poll is one SHOW"
            " and at most three DESCRIBE statements, however many people view the"
            " page."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "60",
        "default": "15",
    },
    "max_threads": {
        "description": (
            "How many calls of Snowflake a triggerer makes at the same time, for all connections"
            " together. Calls that have taken more than a second do not count, up to as many again."
        ),
        "version_added": "0.1.0",
        "type": "integer",
        "example": "16",
        "default": "8",
    },
    "poll_seconds_in_tests": {
        "description": (
            "For tests only: seconds between two polls of a job or a statement, and before the"
            " first poll of a deferred task, instead of what the task's arguments say. Do not set"
            " it where a scheduler runs: each poll costs a statement, and Airflow may fail a task"
            " whose trigger fires within seconds."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "0.1",
        "default": "",
    },
}
"""
The section ``[cortex]`` of Airflow's configuration. Defaults are text, as Airflow's schema
demands.
"""


def get_provider_info() -> dict[str, Any]:
    """
    Return this package's entry for ``airflow providers``.

    At each start Airflow validates it against its ``provider_info.schema.json``, and stops if it
    is invalid: so optional fields are left out, never None.
    """
    from importlib.metadata import version  # needed only when Airflow lists providers

    return {
        "package-name": PACKAGE,
        "name": INTEGRATION,
        # One line of `airflow providers list`, and the only place in Airflow that names classes.
        "description": (
            "Snowflake Cortex fine-tuning: CortexFineTuneOperator, CortexFineTuneSensor,"
            " CortexFineTuneTrigger, CortexCompleteOperator, CortexHook"
        ),
        "versions": [version(PACKAGE)],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.snowflake.com/user-guide/snowflake-cortex/cortex-finetuning",
                "how-to-guide": [f"docs/how-to/{guide}.md" for guide in GUIDES],
                "tags": ["service"],
            }
        ],
        "config": {
            "cortex": {
                "description": "Requests to Snowflake Cortex, and the jobs page.",
                "options": OPTIONS,
            }
        },
        "cli": ["airflow_provider_cortex.cli.definition.get_cli_commands"],
        "extra-links": [
            "airflow_provider_cortex.tasks.links.SnowflakeQueryLink",
            "airflow_provider_cortex.tasks.links.FineTuneJobLink",
        ],
        "hooks": _modules("hooks"),
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": _modules("triggers"),
    }


def _modules(name: str) -> list[dict[str, Any]]:
    module = f"airflow_provider_cortex.{name}"
    return [{"integration-name": INTEGRATION, "python-modules": [module]}]
