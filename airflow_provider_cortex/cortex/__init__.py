"""Requests to Snowflake Cortex and its answers, without Airflow and without a connection."""
