"""The pages of one run and of one model: how good it is, how sure that is, what the compiler did to it, and pictures. No script needed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from ..domain.projects import Project
from ..domain.scores import METRIC_TITLES, METRICS, headline
from ..errors import NotFoundError
from .context import CONTEXT, Call, Context, in_thread
from .curve import curve
from .page import environment
from .report_charts import report_values

_FOR_A_DAY = "private, max-age=86400"


async def get_run(request: web.Request) -> web.StreamResponse:
    """The page of the run in the address."""
    context = request.app[CONTEXT]
    html = await asyncio.to_thread(_run_page, context, request.match_info["name"], int(request.match_info["run"]))
    return web.Response(text=html, content_type="text/html")


async def get_model(request: web.Request) -> web.StreamResponse:
    """The page of the model in the address."""
    context = request.app[CONTEXT]
    html = await asyncio.to_thread(_model_page, context, request.match_info["name"], request.match_info["model"])
    return web.Response(text=html, content_type="text/html")


async def get_picture(request: web.Request) -> web.StreamResponse:
    """A validation picture with what is true and what the kmodel found."""
    context = request.app[CONTEXT]
    path = context.details.picture(int(request.match_info["run"]), request.match_info["picture"])
    return web.FileResponse(path, headers={"Content-Type": "image/jpeg", "Cache-Control": _FOR_A_DAY})


async def post_force(request: web.Request) -> web.StreamResponse:
    """Offer a refused model all the same."""
    context, name, model = request.app[CONTEXT], request.match_info["name"], request.match_info["model"]
    await asyncio.to_thread(context.train.publisher.offer_again, model, True)
    raise web.HTTPSeeOther(f"/projects/{name}/models/{model}")


def model_json(context: Context, call: Call) -> Any:
    """One model with manifest, scores, every rung and its boards."""
    return context.details.model(context.train.publisher.find(call.path["digest"]))


def _run_page(context: Context, name: str, run_id: int) -> str:
    project, run = context.store.project_named(name), context.overview.run(run_id)
    if run["project_id"] != project.id:
        raise NotFoundError(f"run {run_id} is not of {name}")
    model = context.store.model_of_run(run_id)
    notes = [event["text"] for event in run["events"] if event.get("kind") == "note" and event.get("text")]
    values = _shared(context, project, run) | report_values(context.details.report(run_id))
    said = values["report"].rungs if values["report"] else ()
    values["notes"] = [note for note in dict.fromkeys(notes) if note not in {rung.text for rung in said}]
    return environment().get_template("run.html").render(values | {"model": model})


def _model_page(context: Context, name: str, digest: str) -> str:
    project, model = context.store.project_named(name), context.train.publisher.find(digest)
    if model.project_id != project.id:
        raise NotFoundError(f"model {model.short} is not of {name}")
    details = context.details.model(model)
    boards = {board.id: board.name for board in context.store.boards()}
    values = _shared(context, project, context.overview.run(model.run_id))
    values |= report_values(context.details.report(model.run_id))
    values |= {
        "model": model,
        "details": details,
        "boards": boards,
        "notes": list(values["report"].notes) if values["report"] else [],
        "manifest": json.dumps(details["manifest"], indent=1, ensure_ascii=False),
    }
    return environment().get_template("model.html").render(values)


def _shared(context: Context, project: Project, run: dict[str, Any]) -> dict[str, Any]:
    metrics = sorted(METRICS[project.task], key=lambda name: name != headline(project.task))
    return {
        "project": project,
        "projects": context.store.projects(),
        "run": run,
        "now_s": context.clock(),
        "metrics": metrics,
        "titles": METRIC_TITLES,
        "curve": curve(run["curve"], metrics, run["epochs"]),
    }


ROUTES = [
    web.get(r"/projects/{name}/runs/{run:\d{1,15}}", get_run),
    web.get("/projects/{name}/models/{model:[0-9a-f]{12}}", get_model),
    web.post("/projects/{name}/models/{model:[0-9a-f]{12}}/force", post_force),
    web.get(r"/runs/{run:\d{1,15}}/pictures/{picture:val_\d\d\.jpg}", get_picture),
    web.get("/api/models/{digest}", in_thread(model_json)),
]
