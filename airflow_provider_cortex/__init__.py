"""Fine-tune models with Snowflake Cortex from Apache Airflow, and wait for them."""
