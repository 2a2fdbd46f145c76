"""The jobs page inside Airflow 3.1 and later: its web application and its static files."""
