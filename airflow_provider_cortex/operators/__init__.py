"""Check data, start a job, evaluate its model, promote it, use it, and drop it."""

from airflow_provider_cortex.operators.complete import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
)
from airflow_provider_cortex.operators.datasets import CortexCreateDatasetOperator
from airflow_provider_cortex.operators.evaluate import CortexEvaluateOperator
from airflow_provider_cortex.operators.extract import (
    CortexExtractOperator,
    CortexExtractTableOperator,
)
from airflow_provider_cortex.operators.fine_tune import (
    CortexCancelFineTuneOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.operators.models import (
    CortexDropModelsOperator,
    CortexPromoteModelOperator,
)
from airflow_provider_cortex.operators.training_data import CortexCheckTrainingDataOperator

__all__ = [
    "CortexCancelFineTuneOperator",
    "CortexCheckTrainingDataOperator",
    "CortexCompleteOperator",
    "CortexCompleteTableOperator",
    "CortexCreateDatasetOperator",
    "CortexDropModelsOperator",
    "CortexEvaluateOperator",
    "CortexExtractOperator",
    "CortexExtractTableOperator",
    "CortexFineTuneOperator",
    "CortexPromoteModelOperator",
]
