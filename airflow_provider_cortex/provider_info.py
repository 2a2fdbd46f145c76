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
                "description": "How this package asks Snowflake Cortex.",
                "options": {
                    "batch_size": {
                        "description": (
                            "The most fine-tuning jobs that a triggerer asks for in one statement."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "50",
                        "default": "200",
                    }
                },
            }
        },
        "extra-links": ["airflow_provider_cortex.links.SnowflakeQueryLink"],
        "hooks": _modules("hooks"),
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": _modules("triggers"),
    }


def _modules(name: str) -> list[dict[str, Any]]:
    module = f"airflow_provider_cortex.{name}"
    return [{"integration-name": INTEGRATION, "python-modules": [module]}]
