"""
HTTP routes to watch and control the emulator by hand. Snowflake has nothing like them.

A POST needs the header Content-Type: application/json; see http_guard.

    GET /emulator/counts
    GET /emulator/jobs
    GET /emulator/queries
    POST /emulator/jobs/ft_.../stall {"progress": 0.4}
    GET /emulator/faults
    POST /emulator/faults {"kind": "status", "status": 503, "requests": 2}
    DELETE /emulator/faults
    POST /emulator/reset
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_cortex.emulator.fault_kinds import FAULT_KINDS
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.http_messages import read_body
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.sql_errors import SqlError
from airflow_provider_cortex.emulator.traffic import Counts

PATH = "/emulator"


def routes(
    jobs: JobRegistry,
    queries: QueryRegistry,
    counts: Counts,
    faults: Faults,
    reset: Callable[[], None],
) -> list[Route]:
    actions: dict[str, Callable[..., None]] = {
        "answer": jobs.answer,
        "cancel": jobs.cancel,
        "crash": jobs.crash,
        "fail": jobs.fail,
        "resume": jobs.resume,
        "stall": jobs.stall,
    }

    async def show_counts(_request: Request) -> Response:
        return JSONResponse({**asdict(counts), "looks": jobs.looks})

    async def show_jobs(_request: Request) -> Response:
        return JSONResponse(_job_records(jobs))

    async def show_queries(_request: Request) -> Response:
        return JSONResponse([query.record for query in queries.all()])

    def forget_everything(_request: Request) -> Response:  # in a thread: it makes a database
        reset()
        return Response(status_code=204)

    async def act(request: Request) -> Response:
        name = request.path_params["action"]
        if (action := actions.get(name)) is None:
            return _error(404, f"Unknown action {name!r}. The actions are {', '.join(actions)}.")
        try:
            action(request.path_params["job_id"], **await _arguments(request))
        except SqlError as error:
            return _error(404, error.message)
        except (TypeError, ValueError) as error:
            return _error(400, f"Invalid request body: {error}")
        return JSONResponse(_job_records(jobs))

    return [
        Route(f"{PATH}/counts", show_counts, methods=["GET"]),
        Route(f"{PATH}/jobs", show_jobs, methods=["GET"]),
        Route(f"{PATH}/queries", show_queries, methods=["GET"]),
        Route(f"{PATH}/jobs/{{job_id}}/{{action}}", act, methods=["POST"]),
        Route(f"{PATH}/reset", forget_everything, methods=["POST"]),
        *_fault_routes(faults),
    ]


def _fault_routes(faults: Faults) -> list[Route]:
    async def show(_request: Request) -> Response:
        return _fault_report(faults)

    async def add(request: Request) -> Response:
        try:
            arguments = await _arguments(request)
            faults.add(arguments.pop("kind", ""), **arguments)
        except (TypeError, ValueError) as error:
            return _error(400, f"Invalid request body: {error}")
        return _fault_report(faults)

    async def clear(_request: Request) -> Response:
        faults.clear()
        return _fault_report(faults)

    return [
        Route(f"{PATH}/faults", show, methods=["GET"]),
        Route(f"{PATH}/faults", add, methods=["POST"]),
        Route(f"{PATH}/faults", clear, methods=["DELETE"]),
    ]


async def _arguments(request: Request) -> dict[str, Any]:
    return await read_body(request) if await request.body() else {}


def _job_records(jobs: JobRegistry) -> list[dict[str, object]]:
    return [
        {"id": job.id, "model": job.model, "base_model": job.base_model, **asdict(state)}
        for job, state in jobs.all()
    ]


def _fault_report(faults: Faults) -> Response:
    report = {
        "active": [
            {name: value for name, value in asdict(fault).items() if value is not None}
            for fault in faults
        ],
        "struck": Counter(fault.kind for fault in faults.struck),
        "kinds": {name: asdict(kind) for name, kind in FAULT_KINDS.items()},
    }
    # JSONResponse rejects a NaN, which the parameters of a fault may contain.
    return Response(json.dumps(report), media_type="application/json")


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)
