"""
The account's fine-tuning jobs.

Knows neither SQL nor HTTP.
"""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from airflow_provider_cortex.emulator import names
from airflow_provider_cortex.emulator.errors import internal_error, unknown_job
from airflow_provider_cortex.emulator.job import Course, Failure, Job, State, Status
from airflow_provider_cortex.emulator.life import Life
from airflow_provider_cortex.emulator.model import Pair, TunedModel
from airflow_provider_cortex.emulator.names import Place

ID_PREFIX = "ft_"
OLD_ID_PREFIX = "CortexFineTuningWorkflow_"
"""Seen in documentation and tutorials of 2024."""

DEFAULT_BASE_MODEL = "llama3.1-8b"

Clock = Callable[[], float]


class Jobs:
    """Every job of the account. Safe to use from several threads."""

    def __init__(self, *, clock: Clock, life: Life, id_prefix: str = ID_PREFIX) -> None:
        self.life = life
        self._clock = clock
        self._id_prefix = id_prefix
        self._courses: dict[str, Course] = {}
        self._named: dict[names.Key, Course] = {}
        """The newest of each name: the one that may have it still."""
        self._unread: list[Job] = []
        self._lock = threading.RLock()

    def create(
        self,
        *,
        model: str,
        base_model: str = DEFAULT_BASE_MODEL,
        place: Place,
        training_data: str,
        validation_data: str = "",
        options: Mapping[str, object] | None = None,
    ) -> Job:
        """Take the order for a job; its data is read later (see *unread*, *learn*)."""
        job = Job(
            id=f"{self._id_prefix}{uuid.uuid4()}",
            model=model,
            base_model=base_model,
            created_on=self._now(),
            life=self.life,
            place=place,
            training_data=training_data,
            validation_data=validation_data,
            options=options,
        )
        return self._enter(job, tuned=None)

    def add(
        self,
        *,
        model: str,
        base_model: str = DEFAULT_BASE_MODEL,
        life: Life | None = None,
        pairs: tuple[Pair, ...] = (),
    ) -> Job:
        """Add a job without any SQL, for tests of waiting or, with *pairs*, of answering."""
        job = Job(
            id=f"{self._id_prefix}{uuid.uuid4()}",
            model=model,
            base_model=base_model,
            created_on=self._now(),
            life=life or self.life,
            place=Place(),
        )
        return self._enter(job, tuned=TunedModel(pairs))

    def unread(self) -> list[Job]:
        """Hand out, once, the jobs whose data nobody has read yet."""
        with self._lock:
            jobs, self._unread = self._unread, []
        return jobs

    def learn(self, job_id: str, outcome: TunedModel | Failure) -> None:
        """Say what reading the job's data led to; until then it stays PENDING."""
        if isinstance(outcome, Failure):
            self.fail(job_id, code=outcome.code, message=outcome.message)
            return
        with self._lock:
            self._course(job_id).tuned = outcome

    def all(self) -> list[tuple[Job, State]]:
        """Return every job and where it is, without counting as a look."""
        with self._lock:
            return [
                (course.job, course.state(now=self._now())) for course in self._courses.values()
            ]

    @property
    def looks(self) -> int:
        """How many times a job has been looked at."""
        with self._lock:
            return sum(course.looks for course in self._courses.values())

    def describe(self, job_id: str) -> str | None:
        """Look at a job: return DESCRIBE's answer, JSON unless *answer* was told otherwise."""
        with self._lock:
            course = self._course(job_id)
            state = course.state(now=self._now())
            course.looks += 1
            if course.crashes:
                raise internal_error()
            if course.answer_looks:
                course.answer_looks -= 1
                return course.answer
            return json.dumps(course.described(state))

    def model(self, name: str) -> TunedModel | None:
        """Return the tuned model called *name*, if a finished job made one."""
        with self._lock:
            for course in self._courses.values():
                if self._has_model(course) and names.key(course.job.model) == names.key(name):
                    return course.tuned
        return None

    def models(self) -> dict[names.Key, int]:
        """Return the tuned models' names, each with its job's end in epoch milliseconds."""
        with self._lock:
            return {
                names.key(course.job.model): course.state(now=self._now()).finished_on or 0
                for course in self._courses.values()
                if self._has_model(course)
            }

    def drop(self, name: str) -> bool:
        """Remove the tuned model called *name*; return False if there is none."""
        with self._lock:
            for course in self._courses.values():
                if self._has_model(course) and names.key(course.job.model) == names.key(name):
                    course.is_dropped = True
                    return True
        return False

    def is_finished(self, job_id: str) -> bool:
        with self._lock:
            return self._course(job_id).state(now=self._now()).finished_on is not None

    def fail(
        self,
        job_id: str,
        *,
        code: str = "INTERNAL_ERROR",
        message: str = "The emulator was told to fail this job.",
    ) -> None:
        """End the job in ERROR now, whatever its life was to be, even if it is over."""
        self._end(job_id, Status.ERROR, Failure(code=code, message=message))

    def cancel(self, job_id: str) -> None:
        """End the job as CANCELLED now, even if it is over."""
        self._end(job_id, Status.CANCELLED)

    def stall(self, job_id: str, *, progress: float = 0.5) -> None:
        """Keep the job IN_PROGRESS at *progress* until *resume*."""
        with self._lock:
            course = self._course(job_id)
            course.end = None
            course.stalled_at = progress

    def crash(self, job_id: str) -> None:
        """Have every statement that describes the job end in an internal error, until *resume*."""
        with self._lock:
            self._course(job_id).crashes = True

    def resume(self, job_id: str) -> None:
        """Let a job that stalls or crashes go on, to where it would be had it not."""
        with self._lock:
            course = self._course(job_id)
            course.stalled_at, course.crashes = None, False

    def answer(self, job_id: str, text: str | None, *, looks: int | None = None) -> None:
        """Answer the next *looks* DESCRIBEs, or all of them, with *text* as it is."""
        with self._lock:
            course = self._course(job_id)
            course.answer = text
            course.answer_looks = float("inf") if looks is None else looks

    def _enter(self, job: Job, *, tuned: TunedModel | None) -> Job:
        with self._lock:
            job = replace(job, model=names.free(job.model, is_taken=self._is_taken))
            course = Course(job, tuned=tuned)
            self._courses[job.id] = self._named[names.key(job.model)] = course
            if tuned is None:
                self._unread.append(job)
        return job

    def _course(self, job_id: str) -> Course:
        try:
            return self._courses[job_id]
        except KeyError:
            raise unknown_job(job_id) from None

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _has_model(self, course: Course) -> bool:
        """Return whether the job has made a model that is still there."""
        return not course.is_dropped and course.state(now=self._now()).status is Status.SUCCESS

    def _is_taken(self, name: names.Key) -> bool:
        """Return whether a model of this name exists, or will."""
        course = self._named.get(name)
        failed = {Status.ERROR, Status.CANCELLED}
        return (
            course is not None
            and not course.is_dropped
            and course.state(now=self._now()).status not in failed
        )

    def _end(self, job_id: str, status: Status, error: Failure | None = None) -> None:
        with self._lock:
            course = self._course(job_id)
            progress = course.state(now=self._now()).progress if course.tuned else 0.0
            course.end = State(
                status=status, progress=progress, finished_on=self._now(), error=error
            )
