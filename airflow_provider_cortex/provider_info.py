"""What Airflow is told of this package when it looks for providers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

PACKAGE = "airflow-provider-cortex"
INTEGRATION = "Snowflake Cortex fine-tuning"


def get_provider_info() -> dict[str, Any]:
    """
    Return this package's entry for ``airflow providers``.

    Airflow checks it against its ``provider_info.schema.json`` at every start, and stops if it does
    not fit; so what is optional and absent is left out, never None.
    """
    return {
        "package-name": PACKAGE,
        "name": INTEGRATION,
        "description": (
            "Fine-tune models with Snowflake Cortex (CortexFineTuneOperator, CortexCancelFineTuneOperator), wait"
            " for them (CortexFineTuneSensor, CortexFineTuneTrigger), use them (CortexCompleteOperator,"
            " CortexCompleteTableOperator, CortexQueryTrigger), over ordinary Snowflake connections (CortexHook)."
        ),
        "versions": [version(PACKAGE)],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.snowflake.com/user-guide/snowflake-cortex/cortex-finetuning",
                "tags": ["service"],
            }
        ],
        "config": {
            "cortex": {
                "description": "How this package asks Snowflake Cortex, and what its jobs page shows.",
                "options": {
                    "batch_size": {
                        "description": (
                            "The most fine-tuning jobs that one statement asks for, of a triggerer or the jobs page."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "50",
                        "default": "200",
                    },
                    "jobs_page_conn_ids": {
                        "description": (
                            'The Snowflake connections whose accounts\' jobs are on the page "Cortex fine-tuning",'
                            " by their ids, with commas in between."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "snowflake_default,snowflake_eu",
                        "default": "snowflake_default",
                    },
                    "jobs_page_refresh_seconds": {
                        "description": (
                            "For how many seconds what that page knows is new enough: each look at an account is one"
                            " SHOW and at most three DESCRIBE statements, however many people watch."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": "60",
                        "default": "15",
                    },
                },
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
