"""The trigger that tests wait with."""

import time
from typing import Any

from airflow_provider_cortex.triggers import CortexFineTuneTrigger


def trigger(job_id: str, **changes: Any) -> CortexFineTuneTrigger:
    """Return a trigger that may wait for an hour."""
    now = time.time()
    arguments: dict[str, Any] = {
        "finetune_job_id": job_id,
        "session": {"snowflake_conn_id": "snowflake_default"},
        "started_at": now,
        "deadline": now + 3600,
    }
    return CortexFineTuneTrigger(**(arguments | changes))
