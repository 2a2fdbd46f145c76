"""What this package's operators and sensors share on Airflow's side."""
