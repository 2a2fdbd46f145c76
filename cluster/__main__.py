"""``make cluster``: wait for many jobs while components fail, and check every task's outcome."""

from __future__ import annotations

from airflow_provider_cortex.emulator import Emulator
from cluster.asset_runs import CONSUMER, PRODUCER, AssetRuns
from cluster.chaos import Chaos
from cluster.deployment import ClusterDeployment
from cluster.ended_waits import ENDED_WAITS, EndedWaits, ended_waits_table
from cluster.killed_evaluations import KilledEvaluations, killed_evaluations_table
from cluster.killed_starts import KilledStarts, killed_starts_table
from cluster.planned_jobs import EXISTING_JOBS, STARTED_JOBS, PlannedJobs
from cluster.waiting_tasks import WaitingTasks, count_adopted_waits, waiting_tasks_table
from tools.command import run
from tools.errors import ToolError
from tools.output import print_line
from tools.task_logs import TaskLogs

DAG_IDS = ("killed_starts", "killed_evaluations", "ended_waits", "tuning", PRODUCER, CONSUMER)

POLL_SECONDS = 3.0
"""Between two polls of all tasks. Each poll costs the API server some work."""

PROGRESS_SECONDS = 20.0
"""Between two lines about the progress."""


class ClusterTest:
    """All steps, in their order."""

    def __init__(self, cluster: ClusterDeployment) -> None:
        self._cluster = cluster
        self._logs = cluster.workspace.task_logs
        self._chaos = Chaos(cluster)
        self._killed_starts = KilledStarts(cluster.emulator, cluster.api)
        self._killed_evaluations = KilledEvaluations(cluster.slow_emulator, cluster.api)
        self._asset_runs = AssetRuns(cluster.api)
        self._ended_waits = EndedWaits(cluster.emulator, cluster.api, self._logs)
        self._polled_at = 0.0
        self._printed_at = 0.0

    def run(self) -> None:
        """
        Start everything, wait while components fail, and print the results.

        :raises ToolError: if any result is wrong.
        """
        cluster = self._cluster
        self._start_cluster()
        self._killed_starts.start()
        self._killed_evaluations.start()
        self._asset_runs.start()
        self._ended_waits.start()
        self._print(f"{len(ENDED_WAITS)} deferred waits begin, which a user or a timeout will end")
        cluster.wait_for("them to begin", self._have_begun)
        jobs = PlannedJobs(cluster.emulator)
        conf = {"jobs": jobs.ids, "models": jobs.models}
        cluster.api.unpause_dag("tuning")
        waiting = WaitingTasks(jobs, cluster.api.start_run("tuning", "cluster", conf=conf))
        self._print(f"Tasks begin to wait for {EXISTING_JOBS} jobs, and to start {STARTED_JOBS}")
        cluster.wait_for("the waits to end", lambda: self._step(waiting))
        self._print("All waits have ended; reading the results")
        self._check_results(waiting)

    def _start_cluster(self) -> None:
        cluster = self._cluster
        self._print("Starting PostgreSQL, Valkey, and Airflow with two triggerers and two workers")
        cluster.start()
        cluster.wait_for_api_server()
        self._print(f"Airflow is up on {cluster.url}")
        for dag_id in DAG_IDS:
            cluster.wait_for_dag(dag_id)

    def _have_begun(self) -> bool | None:
        self._killed_evaluations.end_unwatched()
        return self._ended_waits.have_begun()

    def _step(self, waiting: WaitingTasks) -> bool | None:
        """Do what is due; return True when everything has finished, or None before that."""
        waiting.jobs.end_due()
        self._killed_evaluations.end_unwatched()
        for line in self._chaos.cause_due(waiting.jobs.elapsed):
            self._print(f">>> {line}")
        now = self._cluster.elapsed
        if now - self._polled_at < POLL_SECONDS:
            return None
        self._polled_at = now
        # First, so that the poll of a finished run is complete.
        has_finished = waiting.run.final_state() is not None
        for line in self._ended_waits.end_waits():
            self._print(line)
        states = waiting.poll()
        if now - self._printed_at > PROGRESS_SECONDS:
            self._printed_at = now
            self._print(", ".join(f"{states[state]} {state}" for state in sorted(states)))
        self._asset_runs.approve()
        others_have_finished = (
            self._killed_starts.have_finished()
            and self._killed_evaluations.have_finished()
            and self._asset_runs.have_finished()
            and self._ended_waits.have_finished()
        )
        if waiting.have_begun and others_have_finished and not waiting.jobs.elapsed:
            self._print("A task waits for every job: from now on jobs end and components fail")
            waiting.jobs.begin()
        return (has_finished and others_have_finished) or None

    def _check_results(self, waiting: WaitingTasks) -> None:
        logs = TaskLogs(self._logs).new_texts()
        results = list(waiting.results())
        ended_waits = list(self._ended_waits.results(logs))
        killed_starts = list(self._killed_starts.results(logs))
        killed_evaluations = list(self._killed_evaluations.results(logs))
        adopted = count_adopted_waits(logs)
        self._print_results(
            waiting_tasks_table(results, waiting, adopted, self._cluster.emulator),
            ended_waits_table(ended_waits),
            killed_starts_table(killed_starts),
            killed_evaluations_table(killed_evaluations),
        )
        wrong = [
            f"{result.task_id} [{result.map_index}]: {result.contradiction}"
            for result in results
            if result.contradiction
        ]
        wrong += [f"{one.wait.task_id}: wrong result" for one in ended_waits if not one.is_correct]
        wrong += [f"{one.task_id}: wrong result" for one in killed_starts if not one.is_correct]
        wrong += [
            f"{one.task_id}: wrong result" for one in killed_evaluations if not one.is_correct
        ]
        wrong += [f"{job_id}: ran without a waiting task" for job_id in waiting.all_abandoned()]
        if not self._asset_runs.is_correct:
            wrong.append(self._asset_runs.summary())
        if not adopted:
            wrong.append("no triggerer has adopted a wait of the suspended one")
        if waiting.jobs.duplicates:
            wrong.append(f"{waiting.jobs.duplicates} jobs were started twice")
        if wrong:
            raise ToolError("\n".join(["Some results are wrong:", *wrong]))

    def _print_results(self, *tables: str) -> None:
        file = self._cluster.workspace.path / "RESULTS.md"
        file.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
        for text in *tables, self._asset_runs.summary():
            print_line(f"\n{text}")
        print_line(f"\nWritten to {file}. The run took {self._cluster.elapsed:.0f} s.")

    def _print(self, text: str) -> None:
        print_line(f"{self._cluster.elapsed:4.0f} s  {text}")


def main(cluster: ClusterDeployment) -> None:
    ClusterTest(cluster).run()


if __name__ == "__main__":
    # Without TLS this process can log in, too.
    run(main, ClusterDeployment(Emulator(), Emulator(tls=False)))
