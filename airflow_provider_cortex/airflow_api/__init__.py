"""Airflow's own APIs: versions, configuration, metrics and the Snowflake provider's session."""
