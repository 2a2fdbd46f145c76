"""How long after the end of a job the next task runs, on a real Airflow."""
