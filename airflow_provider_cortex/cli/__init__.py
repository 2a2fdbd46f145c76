"""The commands ``airflow cortex jobs`` and ``python -m airflow_provider_cortex jobs``."""
