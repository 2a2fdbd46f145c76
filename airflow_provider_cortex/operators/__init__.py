"""Start a fine-tuning job, cancel it, and use the model that it made."""

from airflow_provider_cortex.operators.complete import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
)
from airflow_provider_cortex.operators.fine_tune import (
    CortexCancelFineTuneOperator,
    CortexFineTuneOperator,
)

__all__ = [
    "CortexCancelFineTuneOperator",
    "CortexCompleteOperator",
    "CortexCompleteTableOperator",
    "CortexFineTuneOperator",
]
