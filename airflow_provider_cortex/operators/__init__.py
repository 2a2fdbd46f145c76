"""Start a fine-tuning job, cancel it, evaluate the model that it made, and use it."""

from airflow_provider_cortex.operators.complete import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
)
from airflow_provider_cortex.operators.evaluate import CortexEvaluateOperator
from airflow_provider_cortex.operators.fine_tune import (
    CortexCancelFineTuneOperator,
    CortexFineTuneOperator,
)

__all__ = [
    "CortexCancelFineTuneOperator",
    "CortexCompleteOperator",
    "CortexCompleteTableOperator",
    "CortexEvaluateOperator",
    "CortexFineTuneOperator",
]
