"""Snowflake Cortex as this package knows it: no Airflow, no connection, nothing but decisions."""
