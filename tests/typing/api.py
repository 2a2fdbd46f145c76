"""
Correct use of the public API. mypy checks this file, and nothing runs it.

An error here means that a DAG author's correct code no longer type-checks.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias, task
from airflow.triggers.base import TriggerEvent

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    CompletionError,
    ConnectionNotFoundError,
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    MissingModelError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCheckTrainingDataOperator,
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexCreateDatasetOperator,
    CortexDropModelsOperator,
    CortexEvaluateOperator,
    CortexExtractOperator,
    CortexExtractTableOperator,
    CortexFineTuneOperator,
    CortexPromoteModelOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import (
    CortexFineTuneTrigger,
    CortexJobTrigger,
    CortexQueryTrigger,
)


@task
def prompts() -> list[str]:
    return ["Where is my parcel?", "My invoice is wrong."]


@task
def highest_loss() -> float:
    return 1.5


@task
def candidates() -> list[dict[str, str]]:
    return [{"model": "triage_llama", "base_model": "llama3.1-8b"}]


@task
def use_the_hook(job_id: str) -> str | None:
    with CortexHook("snowflake_default", database="DB", warehouse="WH", query_tag="mine") as hook:
        job = hook.describe(job_id)
        assert_type(job.id, str)
        assert_type(job.is_finished, bool)
        assert_type(job.state, str)
        assert_type(job.progress, float | None)
        assert_type(job.created_on, datetime | None)
        assert_type(job.model, str | None)
        assert_type(job.to_dict(), dict[str, Any])
        for one in hook.show(skip_unreadable=True):
            assert_type(one.id, str)
        new = hook.create(
            "triage",
            "llama3.1-8b",
            "SELECT prompt, completion FROM tickets",
            validation_data="SELECT prompt, completion FROM held_out",
            options={"max_epochs": 3},
        )
        assert_type(new, str)
        assert_type(hook.cancel(new), str)
        assert_type(hook.jobs().describe("ft_1", "ft_2"), dict[str, FineTuneJob | CortexError])
        assert_type(hook.has_model("DB.PUBLIC.triage"), bool)
        for statement in hook.statements_with("DB.PUBLIC.triage"):
            assert_type(statement.is_running, bool)
        for name, alias in hook.aliases().items():
            assert_type(name, str)
            assert_type(alias.model, str)
        hook.complete("DB.PUBLIC.triage", "Where is my parcel?")
        hook.complete(
            "DB.PUBLIC.triage",
            [{"role": "user", "content": "Where is my parcel?"}],
            model_parameters={"temperature": 0, "max_tokens": 100},
            response_format={"type": "json", "schema": {"properties": {}}},
            function="COMPLETE",
        )
        assert_type(hook.last_query_id, str | None)
        assert_type(hook.query_url(), str | None)
        return job.model


@task
def handle_errors(job_id: str) -> str:
    hook = CortexHook(network_timeout=20)
    try:
        return hook.describe(job_id).outcome()
    except (UnreachableError, UnreadableAnswerError):
        return "try again"
    except (RejectedError, ConnectionNotFoundError) as error:
        return error.args[0] if error.args else "rejected"
    except (FineTuneFailedError, FineTuneCancelledError, MissingModelError) as error:
        return str(error)
    except CompletionError:
        raise
    except CortexError as error:
        raise RuntimeError("fine-tuning went wrong") from error
    finally:
        hook.close()


with DAG(dag_id="tuning", schedule="@weekly", start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    CortexCheckTrainingDataOperator(
        task_id="check",
        training_data="sql/training_tickets.sql",
        base_model="llama3.1-8b",
        validation_data="held_out",
        epochs=3,
        max_trained_tokens="{{ params.most_tokens }}",
        min_rows=300,
        max_prompt_tokens=20_000,
        max_completion_tokens=4_000,
        max_truncated_rows=0.01,
        max_empty_rows=None,
        max_duplicate_rows=Decimal("0.1"),
        allow_overlap=True,
        credits_per_million_tokens=highest_loss(),
        sample=10_000,
        gate="skip",
    )
    start = CortexFineTuneOperator(
        task_id="start",
        model="triage_{{ ds_nodash }}",
        base_model="{{ params.base_model }}",
        training_data="sql/training_tickets.sql",
        validation_data="SELECT prompt, completion FROM held_out",
        options={"max_epochs": 3},
        validate=False,
        if_exists="adopt",
        max_trained_tokens=1e7,
        snowflake_conn_id="snowflake_default",
        warehouse="WH",
        database="DB",
        schema="PUBLIC",
        role="TRAINER",
        authenticator="oauth",
        session_parameters={"QUERY_TAG": "mine"},
        retries=2,
    )
    CortexFineTuneOperator(
        task_id="start_with_templates",
        model="triage",
        base_model="llama3.1-8b",
        training_data="tickets",
        options="{{ params.options | tojson }}",
        if_exists="{{ params.if_exists }}",
        session_parameters="{{ params.session | tojson }}",
    )
    CortexFineTuneOperator(
        task_id="start_with_xcoms",
        model=start.output,
        base_model=start.output,
        training_data=start.output,
        validation_data=start.output,
        options=candidates(),
        if_exists=start.output,
    )
    data = CortexCreateDatasetOperator(
        task_id="data",
        dataset="support.ai.invoice_data",
        query="sql/labelled_invoices.sql",
        version="v{{ ds_nodash }}",
        if_exists="create",
        retries=2,
    )
    CortexCreateDatasetOperator(
        task_id="data_with_xcoms", dataset=start.output, query=start.output, if_exists=start.output
    )
    CortexFineTuneOperator(
        task_id="start_with_dataset",
        model="@support.ai.read_invoices",
        base_model="arctic-extract",
        training_data=data.output,
        validation_data="snow://dataset/support.ai.held_out/versions/v1",
    )
    start_each = CortexFineTuneOperator.partial(
        task_id="start_each", training_data="tickets"
    ).expand_kwargs(candidates())

    wait = CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=start.output,
        deferrable=True,
        timeout=timedelta(hours=6),
        execution_timeout=timedelta(hours=7),
        max_poke_interval=600,
        expected_duration="previous",
        contact_timeout=timedelta(minutes=10),
        stall_timeout=timedelta(hours=1),
        skip_on_cancelled=True,
        max_validation_loss=Decimal("1.5"),
        max_training_loss="{{ params.max_training_loss }}",
        max_trained_tokens=10_000_000,
        gate="skip",
        cancel_on_kill=True,
        outlets=[AssetAlias("triage"), Asset("snowflake://account/DB/PUBLIC/TRIAGE")],
    )
    CortexFineTuneSensor(
        task_id="wait_on_a_worker",
        finetune_job_id="{{ ti.xcom_pull('start') }}",
        deferrable=False,
        mode="reschedule",
        poke_interval=60.0,
        timeout=3600,
        max_poke_interval=timedelta(minutes=5),
        expected_duration=timedelta(minutes=30),
        contact_timeout=600,
        stall_timeout=3600.0,
        max_validation_loss=highest_loss(),
        soft_fail=True,
    )
    wait_for_each = CortexFineTuneSensor.partial(
        task_id="wait_for_each", timeout=timedelta(hours=6)
    ).expand(finetune_job_id=start_each.output)

    CortexCancelFineTuneOperator(
        task_id="cancel", finetune_job_id=start.output, fail_if_over=True, trigger_rule="all_failed"
    )

    ask = CortexCompleteOperator(
        task_id="ask",
        model=wait.output,
        prompt=prompts(),
        model_parameters={"temperature": 0},
        response_format={"type": "json", "schema": {"properties": {}}},
    )
    CortexCompleteOperator(
        task_id="ask_in_a_conversation",
        model="{{ ti.xcom_pull('wait') }}",
        prompt=[{"role": "user", "content": "{{ params.question }}"}],
        function="AI_COMPLETE",
        log_answers=True,
    )
    CortexCompleteOperator.partial(task_id="ask_each", model=wait.output).expand(prompt=prompts())

    CortexCompleteTableOperator(
        task_id="answer",
        model=wait.output,
        source="new_tickets",
        destination="ticket_answers",
        prompt_column="body",
        answer_column="answer",
        error_column="error",
        if_exists="replace",
        max_error_rate=0.05,
        deferrable=True,
        poke_interval=timedelta(seconds=30),
        contact_timeout=600,
        model_parameters={"temperature": 0},
    )
    CortexCompleteTableOperator(
        task_id="answer_by_expression",
        model="llama3.1-8b",
        source="sql/new_tickets.sql",
        destination="{{ params.destination }}",
        prompt_expression="'Summarise: ' || body",
        response_format="{{ params.format | tojson }}",
    )
    CortexCompleteTableOperator(
        task_id="answer_with_xcoms",
        model=wait.output,
        source=start.output,
        destination=start.output,
        prompt_column=start.output,
        model_parameters=candidates(),
        response_format=candidates(),
    )
    CortexCompleteOperator(task_id="ask_by_alias", alias="best_triage", prompt="Where is it?")
    CortexCompleteTableOperator(
        task_id="answer_by_alias",
        alias="support.ai.best_triage",
        source="new_tickets",
        destination="ticket_answers",
        prompt_column="body",
    )

    CortexExtractOperator(
        task_id="extract",
        model=wait.output,
        files=["@docs/1.pdf", start.output],
        response_format={"total": "What is the total?"},
        scores=True,
        max_error_rate=0.1,
    )
    CortexExtractOperator(
        task_id="extract_one", file=start.output, response_format=["total: what?"]
    )
    CortexExtractOperator(task_id="extract_text", text="{{ params.text }}", response_format="[]")
    CortexExtractTableOperator(
        task_id="extract_all",
        model=wait.output,
        source="@docs/invoices",
        destination="invoices",
        response_format=[["total", "What is the total?"]],
        if_exists="append",
        deferrable=True,
    )
    CortexExtractTableOperator(
        task_id="extract_by_query",
        model="{{ params.model }}",
        source=start.output,
        destination=start.output,
        file_column="path",
        answer_column="answers",
        error_column="problem",
        scores=True,
        max_error_rate=0.05,
    )
    CortexEvaluateOperator(
        task_id="evaluate_extraction",
        models=[wait.output, "arctic-extract"],
        data="labelled_invoices",
        file_column="file",
        expected_column="response",
        response_format=candidates(),
        score="fields",
    )

    promote = CortexPromoteModelOperator(
        task_id="promote",
        model=wait.output,
        alias="support.ai.best_triage",
        grant_usage_to=["support_app", "analyst"],
        finetune_job_id=start.output,
    )
    CortexPromoteModelOperator(
        task_id="roll_back", model=promote.output, alias="best_triage", grant_usage_to="support_app"
    )
    CortexPromoteModelOperator(
        task_id="promote_with_xcoms",
        model=wait.output,
        alias=start.output,
        grant_usage_to=prompts(),
    )
    CortexDropModelsOperator(
        task_id="drop", model="triage", keep=5, protect=[wait.output, "triage_1"], dry_run=True
    )
    CortexDropModelsOperator(
        task_id="drop_with_templates", model="triage", keep="{{ params.keep }}", protect=prompts()
    )
    start >> wait >> ask


async def run_triggers() -> AsyncIterator[TriggerEvent]:
    session: dict[str, Any] = {"snowflake_conn_id": "snowflake_default"}
    trigger = CortexFineTuneTrigger(
        finetune_job_id="ft_1",
        session=session,
        started_at=0.0,
        deadline=3600.0,
        poke_interval=None,
        max_poke_interval=300.0,
        expected_duration=1800.0,
        contact_timeout=600.0,
        stall_timeout=3600.0,
        cancel_on_kill=True,
    )
    assert_type(trigger.serialize(), tuple[str, dict[str, Any]])
    async for event in trigger.run():
        yield event
    query = CortexQueryTrigger(
        query_id="01b7", session=session, started_at=0.0, deadline=None, poke_interval=30.0
    )
    assert_type(query.serialize(), tuple[str, dict[str, Any]])
    async for event in query.run():
        yield event
    watcher = CortexJobTrigger(
        snowflake_conn_id="snowflake_default",
        warehouse=None,
        database="DB",
        schema="S",
        role="R",
        authenticator=None,
        status=["SUCCESS", "ERROR"],
        base_model="llama3.1-8b",
        model="triage",
        poke_interval=timedelta(minutes=5),
    )
    assert_type(watcher.serialize(), tuple[str, dict[str, Any]])
    async for event in watcher.run():
        yield event


def use_the_pytest_fixtures(cortex_emulator: Emulator, cortex_connection: str) -> Sequence[str]:
    cortex_emulator.life = Life.by_looks(2)
    cortex_emulator.faults.add("status", status=503, requests=2)
    job = cortex_emulator.jobs.add(model="DB.PUBLIC.triage", pairs=(("a", "b"),))
    with Emulator(life=Life.at_once()) as emulator:
        assert_type(emulator.airflow_connection, str)
    assert_type(job.id, str)
    return [statement.sql for statement in cortex_emulator.statements]
