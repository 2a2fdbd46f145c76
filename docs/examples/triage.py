from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor


@task
def load():
    from airflow_provider_cortex.hooks import CortexHook  # when the task runs, not at each parse

    CortexHook().run("""
        CREATE TABLE IF NOT EXISTS support_tickets AS
        SELECT * FROM VALUES ('I was charged twice', 'billing'), ('The app crashes', 'bug')
            AS tickets (prompt, completion)
    """)


with DAG("triage", schedule="@weekly", start_date=datetime(2026, 1, 1), catchup=False) as dag:
    start = CortexFineTuneOperator(
        task_id="start",
        model="ticket_triage",
        base_model="llama3.1-8b",
        training_data="SELECT prompt, completion FROM support_tickets",
    )
    wait = CortexFineTuneSensor(task_id="wait", finetune_job_id=start.output, deferrable=True)
    ask = CortexCompleteOperator(
        task_id="ask", model=wait.output, prompt="I was charged twice", log_answers=True
    )
    load() >> start
