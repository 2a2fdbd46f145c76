"""
SNOWFLAKE.CORTEX.FINETUNE and its four actions.

https://docs.snowflake.com/en/sql-reference/functions/finetune-snowflake-cortex
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import name_resolution
from airflow_provider_cortex.emulator.extraction_model import EXTRACTION_MODEL
from airflow_provider_cortex.emulator.fault_kinds import DESCRIBE
from airflow_provider_cortex.emulator.faults import Fault, Faults
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    invalid_arguments,
    invalid_value,
    unknown_job,
)

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
"""All text models that Snowflake's page has ever listed; today it lists llama3.1-8b only."""


@dataclass(frozen=True, slots=True)
class FinetuneFunction:
    """The function, for one account."""

    jobs: JobRegistry
    faults: Faults
    base_models: frozenset[str] = BASE_MODELS

    def __call__(self, namespace: Namespace, *args: object) -> str | None:
        # Guess action-case: the case of the action does not matter. If wrong: Snowflake rejects
        # what works in tests. CortexHook sends it in capitals.
        match [args[0].upper() if args and isinstance(args[0], str) else None, *args[1:]]:
            case ["CREATE", str(name), str(base_model), str(training_data), *optional]:
                return self._create(namespace, name, base_model, training_data, *optional)
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
        self,
        namespace: Namespace,
        name: str,
        base_model: str,
        training_data: str,
        *optional: object,
    ) -> str:
        """Start a job. Its data is read later, and bad data fails the job instead of CREATE."""
        if not name:
            raise invalid_value(name, parameter="name")
        if base_model not in self.base_models | {EXTRACTION_MODEL}:
            # Guess base-model-rejected: CREATE itself rejects an unknown base model. The message
            # is not published. If wrong: a real job is started, and ends in ERROR.
            raise invalid_value(base_model, parameter="base_model")
        validation_data, options = _optional_arguments(optional)
        return self.jobs.create(
            # Snowflake's page on arctic-extract has names with a leading @.
            model=name_resolution.qualified(name.removeprefix("@"), namespace),
            namespace=namespace,
            base_model=base_model,
            training_data=training_data,
            validation_data=validation_data,
            options=options,
        ).id

    def _describe(self, job_id: str) -> str | None:
        text = self.jobs.describe(job_id)
        fault = self.faults.strike(DESCRIBE, job_id)
        return text if fault is None else _with_fault(text, fault, job_id)

    def _show(self) -> str:
        """List all jobs of the account in one cell."""
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
        # Guess cancel-finished: to cancel a finished job changes nothing, and returns the same
        # text. If wrong: Snowflake rejects it, which CortexCancelFineTuneOperator expects, too.
        if not self.jobs.is_finished(job_id):
            self.jobs.cancel(job_id)
        return f"Canceled Cortex Fine-tuning job: {job_id}"


def _with_fault(text: str | None, fault: Fault, job_id: str) -> str | None:
    """Return what DESCRIBE returns instead of *text*, or raise its error."""
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
            return _changed(text, {"id": parameters["id"]}, ())
    return _changed(text, parameters["set"], parameters["remove"])


def _changed(
    text: str | None, changes: Mapping[str, object], removed: Collection[str]
) -> str | None:
    try:
        record = json.loads(text or "")
    except json.JSONDecodeError:
        return text  # JobRegistry.answer has replaced the record
    kept = {name: value for name, value in {**record, **changes}.items() if name not in removed}
    return json.dumps(kept)  # writes a float that is not a number as NaN


def _optional_arguments(given: tuple[object, ...]) -> tuple[str, Mapping[str, object] | None]:
    """Return the validation query ("" for none) and the options (None for none)."""
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
