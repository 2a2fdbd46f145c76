"""
SNOWFLAKE.CORTEX.FINETUNE: its four actions on the account's jobs.

https://docs.snowflake.com/en/sql-reference/functions/finetune-snowflake-cortex
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import names
from airflow_provider_cortex.emulator.errors import invalid_arguments, invalid_value, unknown_job
from airflow_provider_cortex.emulator.faults import DESCRIBE, Fault, Faults
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.names import Place

BASE_MODELS = frozenset(
    {
        "llama3-8b",
        "llama3-70b",
        "llama3.1-8b",
        "llama3.1-70b",
        "mistral-7b",
        "mixtral-8x7b",
    }
)
"""Every text model that Snowflake's page has listed; the newest lists llama3.1-8b only."""


@dataclass(frozen=True, slots=True)
class Finetune:
    """The function, for one account."""

    jobs: Jobs
    faults: Faults
    base_models: frozenset[str] = BASE_MODELS

    def __call__(self, place: Place, *args: object) -> str | None:
        # Guess: that the action's case does not matter.
        match [args[0].upper() if args and isinstance(args[0], str) else None, *args[1:]]:
            case ["CREATE", str(name), str(base_model), str(training_data), *optional]:
                return self._create(place, name, base_model, training_data, *optional)
            case ["DESCRIBE", str(job_id)]:
                return self._describe(job_id)
            case ["SHOW"]:
                return self._show()
            case ["CANCEL", str(job_id)]:
                return self._cancel(job_id)
            case ["CREATE" | "DESCRIBE" | "SHOW" | "CANCEL", *_]:
                raise invalid_arguments(of="FINETUNE", got=args)
        raise invalid_value(args[0] if args else None, parameter="action")

    def _create(
        self, place: Place, name: str, base_model: str, training_data: str, *optional: object
    ) -> str:
        """Take the order. Data is not looked at: what is wrong with it ends up in the job."""
        if not name:
            raise invalid_value(name, parameter="name")
        if base_model not in self.base_models:
            # Guess: that CREATE itself refuses. Its words are not published.
            raise invalid_value(base_model, parameter="base_model")
        validation_data, options = _optional(optional)
        return self.jobs.create(
            model=names.qualified(name, place),
            place=place,
            base_model=base_model,
            training_data=training_data,
            validation_data=validation_data,
            options=options,
        ).id

    def _describe(self, job_id: str) -> str | None:
        told = self.jobs.describe(job_id)
        fault = self.faults.strike(DESCRIBE, job_id)
        return told if fault is None else _mistold(told, fault, job_id)

    def _show(self) -> str:
        """List the whole account's jobs in one cell."""
        return json.dumps(
            [
                {
                    "id": job.id,
                    "status": state.status,
                    "base_model": job.base_model,
                    "created_on": job.created_on,
                }
                for job, state in self.jobs.all()
            ]
        )

    def _cancel(self, job_id: str) -> str:
        # Guess: cancelling a job that is over changes nothing and says the same.
        if not self.jobs.is_finished(job_id):
            self.jobs.cancel(job_id)
        return f"Canceled Cortex Fine-tuning job: {job_id}"


def _mistold(told: str | None, fault: Fault, job_id: str) -> str | None:
    """Return what DESCRIBE says instead of what it would have *told*."""
    parameters = fault.parameters
    match fault.kind:
        case "error":
            raise fault.error
        case "vanish":
            raise unknown_job(job_id)
        case "null":
            return None
        case "unreadable":
            return str(parameters["text"])
        case "other-job":
            return _changed(told, {"id": parameters["id"]}, ())
    return _changed(told, parameters["set"], parameters["remove"])


def _changed(
    told: str | None, changes: Mapping[str, object], removed: Collection[str]
) -> str | None:
    try:
        record = json.loads(told or "")
    except json.JSONDecodeError:
        return told  # of a job that was told to answer something else
    kept = {name: value for name, value in {**record, **changes}.items() if name not in removed}
    return json.dumps(kept)  # which writes a number that is none as NaN


def _optional(given: tuple[object, ...]) -> tuple[str, Mapping[str, object] | None]:
    """Return the validation query, "" without one, and the options, None without any."""
    match given:
        case [] | [None] | [None, None]:
            return "", None
        case [str(validation_data)] | [str(validation_data), None]:
            return validation_data, None
        case [None | str() as validation_data, str() | dict() as options]:
            return validation_data or "", _options(options)
    raise invalid_arguments(of="FINETUNE", got=given)


def _options(given: str | dict[str, object]) -> Mapping[str, object]:
    """Read options: JSON text as documented, or an object as snowflake-ml-python sends it."""
    if isinstance(given, dict):
        return given
    try:
        options = json.loads(given)
    except json.JSONDecodeError:
        options = None
    if not isinstance(options, dict):
        raise invalid_value(given, parameter="options")
    return options
