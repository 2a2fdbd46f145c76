"""What a worker looks at a job with: what the client is to a triggerer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.waiting.poller import Poller
from airflow_provider_cortex.waiting.progress import Log, ProgressLog

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook


@dataclass(slots=True, kw_only=True)
class Watch:
    """What a worker looks at a job with, for as long as its task runs."""

    job_id: str
    hook: CortexHook
    poller: Poller
    narrator: ProgressLog
    log: Log
    delay: float = 0.0
    """Seconds to the next look, once there has been one."""

    def look(self, *, sit_out_trouble: bool) -> FineTuneJob | None:
        """Return the job if it is over; raises what ends the wait before that."""
        while True:
            try:
                job = self.hook.describe(self.job_id)
            except CortexError as error:
                self.delay = self.poller.miss(error)
                self.log.warning("%s; next look in %.0f s", error, self.delay)
                if not sit_out_trouble:
                    return None
                time.sleep(self.delay)
                continue
            delay = self.poller.observe(job)
            if delay is None:
                return job
            self.delay = delay
            self.narrator.tell(job, delay=delay, now=time.time(), log=self.log)
            return None
