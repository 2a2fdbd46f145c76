"""
A few HTTP routes to watch and steer the emulator by hand. Snowflake has nothing like them.

    curl localhost:8282/emulator/counts
    curl localhost:8282/emulator/jobs
    curl localhost:8282/emulator/queries
    curl localhost:8282/emulator/jobs/ft_.../stall -d '{"progress": 0.4}'
    curl localhost:8282/emulator/faults -d '{"kind": "status", "status": 503, "requests": 2}'
    curl localhost:8282/emulator/faults -X DELETE
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_cortex.emulator.counts import Counts
from airflow_provider_cortex.emulator.errors import SqlError
from airflow_provider_cortex.emulator.faults import KINDS, Faults
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.queries import Queries

PATH = "/emulator"


def routes(jobs: Jobs, queries: Queries, counts: Counts, faults: Faults) -> list[Route]:
    actions: dict[str, Callable[..., None]] = {
        "answer": jobs.answer,
        "cancel": jobs.cancel,
        "crash": jobs.crash,
        "fail": jobs.fail,
        "resume": jobs.resume,
        "stall": jobs.stall,
    }

    async def count(_request: Request) -> Response:
        return JSONResponse({**asdict(counts), "looks": jobs.looks})

    async def show(_request: Request) -> Response:
        return JSONResponse(_shown(jobs))

    async def show_queries(_request: Request) -> Response:
        return JSONResponse([query.told for query in queries.all()])

    async def act(request: Request) -> Response:
        action = actions.get(request.path_params["action"])
        if action is None:
            return _refusal(404, f"There is no such action; there are {', '.join(actions)}.")
        try:
            action(request.path_params["job_id"], **json.loads(await request.body() or "{}"))
        except SqlError as error:
            return _refusal(404, error.message)
        except (TypeError, ValueError) as error:
            return _refusal(400, f"Unexpected body: {error}")
        return JSONResponse(_shown(jobs))

    return [
        Route(f"{PATH}/counts", count, methods=["GET"]),
        Route(f"{PATH}/jobs", show, methods=["GET"]),
        Route(f"{PATH}/queries", show_queries, methods=["GET"]),
        Route(f"{PATH}/jobs/{{job_id}}/{{action}}", act, methods=["POST"]),
        *_fault_routes(faults),
    ]


def _fault_routes(faults: Faults) -> list[Route]:
    async def show(_request: Request) -> Response:
        return _told(faults)

    async def add(request: Request) -> Response:
        try:
            sent = dict(json.loads(await request.body() or "{}"))
            faults.add(sent.pop("kind", ""), **sent)
        except (TypeError, ValueError) as error:
            return _refusal(400, f"Unexpected body: {error}")
        return _told(faults)

    async def clear(_request: Request) -> Response:
        faults.clear()
        return _told(faults)

    return [
        Route(f"{PATH}/faults", show, methods=["GET"]),
        Route(f"{PATH}/faults", add, methods=["POST"]),
        Route(f"{PATH}/faults", clear, methods=["DELETE"]),
    ]


def _shown(jobs: Jobs) -> list[dict[str, object]]:
    return [
        {"id": job.id, "model": job.model, "base_model": job.base_model, **asdict(state)}
        for job, state in jobs.all()
    ]


def _told(faults: Faults) -> Response:
    told = {
        "active": [
            {name: value for name, value in asdict(fault).items() if value is not None}
            for fault in faults
        ],
        "struck": Counter(fault.kind for fault in faults.struck),
        "kinds": {name: asdict(kind) for name, kind in KINDS.items()},
    }
    # Not JSONResponse: a record to be told may have a number that is none.
    return Response(json.dumps(told), media_type="application/json")


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)
