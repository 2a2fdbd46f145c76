"""The jobs page inside Airflow 3.1 and later: what its browser asks for, and what it is told."""
