"""Wait in the triggerer for a job or a statement, and watch for jobs that finish."""

from airflow_provider_cortex.triggers.finished_jobs import CortexJobTrigger
from airflow_provider_cortex.triggers.waits import CortexFineTuneTrigger, CortexQueryTrigger

__all__ = ["CortexFineTuneTrigger", "CortexJobTrigger", "CortexQueryTrigger"]
