"""``make cluster``: let many waits go through trouble, and find out which of them tell the truth."""

from __future__ import annotations

from functools import partial

from airflow_provider_cortex.emulator import Emulator
from cluster.chaos import Chaos
from cluster.deployment import PLACE, Cluster
from cluster.fates import CASES, Fates, fate_table
from cluster.fleet import JOBS, STARTED, Fleet
from cluster.landing import CONSUMER, PRODUCER, Landing
from cluster.once import Once, once_table
from cluster.report import wait_table
from cluster.waits import Waits, count_taken_over
from demo.console import play, say
from demo.task_logs import TaskLogs
from demo.trouble import Trouble

RESULTS = PLACE.path / "RESULTS.md"

OVER = {"success", "failed"}

LOOK = 3.0
"""Seconds between two looks at all tasks: each costs Airflow's API server something."""

LINE = 20.0
"""Seconds between two lines that say how far it is."""


class Storm:
    """All that happens, in its order."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._looked = 0.0
        self._told = 0.0

    def run(self) -> None:
        """
        Start everything, let it wait and be struck, and say what came of it.

        :raises Trouble: if anything did not come out as it should.
        """
        self._start()
        cluster = self._cluster
        once = Once(cluster.emulator, cluster.api)
        landing = Landing(cluster.api)
        once.start()
        landing.start()
        fates = Fates(cluster.emulator, cluster.api, PLACE.task_logs)
        fates.start()
        self._tell(f"{len(CASES)} deferred waits are to be ended by hand, or by their time")
        cluster.wait_for("them to begin", fates.have_begun)
        fleet = Fleet(cluster.emulator)
        conf = {"jobs": fleet.ids, "models": fleet.models}
        waits = Waits(fleet, cluster.api.start_run("tuning", "cluster", conf=conf))
        self._tell(f"{JOBS} jobs run and {STARTED} are to be started: tasks begin to wait for them")
        chaos = Chaos(cluster)
        cluster.wait_for("the waits to end", lambda: self._step(once, landing, fates, waits, chaos))
        self._tell("All waits are over; reading what they tell")
        self._judge(once, landing, fates, waits)

    def _start(self) -> None:
        cluster = self._cluster
        self._tell("Starting PostgreSQL, Valkey, and Airflow with two triggerers and two workers")
        cluster.emulator.start()
        cluster.start()
        cluster.wait_for("Airflow's api-server", lambda: cluster.api.get("/version"))
        self._tell(f"Airflow is up on {cluster.url}")
        for dag_id in "once", "fates", "tuning", PRODUCER, CONSUMER:
            path = f"/dags/{dag_id}"
            cluster.wait_for(f"the DAG {dag_id}", partial(cluster.api.get, path))
            if dag_id not in {PRODUCER, CONSUMER}:
                cluster.api.patch(path, {"is_paused": False})

    def _step(
        self, once: Once, landing: Landing, fates: Fates, waits: Waits, chaos: Chaos
    ) -> bool | None:
        """Do and look at what is due; return True when all is over."""
        waits.fleet.steer()
        for deed in chaos.strike(waits.fleet.elapsed):
            self._tell(f">>> {deed}")
        now = self._cluster.elapsed
        if now - self._looked < LOOK:
            return None
        self._looked = now
        state = waits.run.state  # first, so that what is seen next is complete
        for deed in fates.act():
            self._tell(deed)
        states = waits.look()
        if now - self._told > LINE:
            self._told = now
            self._tell(", ".join(f"{states[state]} {state}" for state in sorted(states)))
        quiet = once.is_finished() and landing.is_finished() and fates.are_over()
        if waits.have_begun and quiet and not waits.fleet.elapsed:
            self._tell("Every job is waited for: the jobs begin to end, and trouble begins")
            waits.fleet.begin()
        return (state in OVER and quiet) or None

    def _judge(self, once: Once, landing: Landing, fates: Fates, waits: Waits) -> None:
        ended = list(waits.at_end())
        said = TaskLogs(PLACE.task_logs).texts()
        fated = list(fates.rows(said))
        died = list(once.rows(said))
        taken_over = count_taken_over(said)
        waited = wait_table(ended, waits, taken_over, self._cluster.emulator)
        tables = [waited, fate_table(fated), once_table(died)]
        RESULTS.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
        for text in *tables, landing.story():
            say(f"\n{text}")
        say(f"\nWritten to {RESULTS}. All of it took {self._cluster.elapsed:.0f} s.")
        wrong = [f"{wait.kind} [{wait.map_index}]: {wait.lie}" for wait in ended if wait.lie]
        wrong += [f"{row.case.task_id}: not as it should be" for row in fated if not row.is_right]
        wrong += [] if landing.is_right else [landing.story()]
        wrong += [f"{row.death}: not as it should be" for row in died if not row.is_right]
        wrong += [f"{job_id}: it ran while nobody waited" for job_id in waits.all_abandoned()]
        if not taken_over:
            wrong.append("no triggerer has taken a wait over from one that stood still")
        if waits.fleet.surplus:
            wrong.append(f"{waits.fleet.surplus} jobs were started twice")
        if wrong:
            raise Trouble("\n".join(["Not all is as it should be.", *wrong]))

    def _tell(self, text: str) -> None:
        say(f"{self._cluster.elapsed:4.0f} s  {text}")


def storm(cluster: Cluster) -> None:
    Storm(cluster).run()


if __name__ == "__main__":
    play(storm, Cluster(Emulator()))
