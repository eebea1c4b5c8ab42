"""The JSON API under /api, for scripts, the demo and the command line while a daemon runs. Errors are {"error": line}."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .. import __version__
from ..domain.projects import DETECT, check_classes, check_project_name, check_task
from ..errors import BadInputError, NotFoundError
from ..services.label_texts import LabelTexts
from ..services.overview import sample_fields
from .context import CONTEXT, Call, Context, in_thread

MOST_SAMPLES = 500
MAX_PAUSE_S = 600


def health(context: Context, _call: Call) -> Any:
    """That we are here, and the served serial ports."""
    return {"ok": True, "version": __version__, "usb": context.usb.state(), "now_s": context.clock()}


def list_projects(context: Context, _call: Call) -> Any:
    """Every project with its counts."""
    return context.overview.projects()


def add_project(context: Context, call: Call) -> Any:
    """Make a project from {"name", "classes": [...], "task": "detect" if not said}."""
    classes = call.body.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise BadInputError("classes must be a list of names")
    name = check_project_name(str(call.body.get("name", "")))
    task = check_task(str(call.body.get("task", DETECT)))
    project = context.store.add_project(name, task, check_classes(tuple(classes), task), context.clock())
    return context.overview.project(project)


def get_project(context: Context, call: Call) -> Any:
    """One project with its counts."""
    return context.overview.project(context.store.project_named(call.path["name"]))


def list_samples(context: Context, call: Call) -> Any:
    """The newest samples: ?limit=100&offset=0."""
    project = context.store.project_named(call.path["name"])
    return context.overview.samples(project, call.number("limit", 100, MOST_SAMPLES), call.number("offset", 0, 10**9))


def set_texts(context: Context, call: Call) -> Any:
    """Say what is written in a photo's boxes: {"photo": name, "texts": [...]}, one per box, line by line."""
    texts = call.body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadInputError("texts must be a list of strings")
    project = context.store.project_named(call.path["name"])
    return sample_fields(LabelTexts(context.store).set(project, str(call.body.get("photo", "")), texts))


def start_training(context: Context, call: Call) -> Any:
    """Queue a run; {"parameters": {...}} is for the job."""
    parameters = call.body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadInputError("parameters must be an object")
    run = context.train.start(context.store.project_named(call.path["name"]).id, parameters)
    return context.overview.run(run.id)


def list_runs(context: Context, call: Call) -> Any:
    """Runs, newest first: ?project=NAME."""
    name = call.query.get("project")
    return context.overview.runs(context.store.project_named(name) if name else None)


def get_run(context: Context, call: Call) -> Any:
    """One run with curve and events."""
    return context.overview.run(call.part("id"))


def cancel_run(context: Context, call: Call) -> Any:
    """Cancel a queued or running run."""
    return context.overview.run(context.train.cancel(call.part("id")).id)


def list_models(context: Context, call: Call) -> Any:
    """Models, newest first: ?project=NAME."""
    name = call.query.get("project")
    return context.overview.models(context.store.project_named(name) if name else None)


def list_boards(context: Context, call: Call) -> Any:
    """Paired boards: ?project=NAME."""
    name = call.query.get("project")
    return context.overview.boards(context.clock(), context.store.project_named(name) if name else None)


def pause_port(context: Context, call: Call) -> Any:
    """Let a serial port go: {"port", "seconds"}; mpremote can have it then."""
    port, seconds = call.body.get("port"), call.body.get("seconds", 60)
    if not isinstance(port, str) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MAX_PAUSE_S:
        raise BadInputError(f"give port and seconds (at most {MAX_PAUSE_S})")
    return {"is_ours": context.usb.pause(port, seconds)}


def resume_port(context: Context, call: Call) -> Any:
    """Serve a paused port again: {"port"}."""
    return {"is_ours": context.usb.resume(str(call.body.get("port")))}


def offer_model(context: Context, call: Call) -> Any:
    """Offer a model to its boards again, as the newest; {"force": true}: also one that was refused at the gate."""
    renewed = context.train.publisher.offer_again(call.path["digest"], call.body.get("force") is True)
    return {"digest": renewed.digest, "serial": renewed.serial, "is_forced": renewed.is_forced}


async def get_manifest(request: web.Request) -> web.StreamResponse:
    """The manifest of a model, byte for byte as boards get it."""
    context = request.app[CONTEXT]
    digest = request.match_info["digest"]
    found = next((one for one in context.store.models() if digest in (one.digest, one.short)), None)
    if found is None:
        raise NotFoundError(f"no model {digest}")
    return web.Response(body=found.manifest, content_type="application/json")


ROUTES = [
    web.get("/api/health", in_thread(health)),
    web.get("/api/projects", in_thread(list_projects)),
    web.post("/api/projects", in_thread(add_project, 201)),
    web.get("/api/projects/{name}", in_thread(get_project)),
    web.get("/api/projects/{name}/samples", in_thread(list_samples)),
    web.put("/api/projects/{name}/texts", in_thread(set_texts)),
    web.post("/api/projects/{name}/train", in_thread(start_training, 201)),
    web.get("/api/runs", in_thread(list_runs)),
    web.get("/api/runs/{id}", in_thread(get_run)),
    web.post("/api/runs/{id}/cancel", in_thread(cancel_run)),
    web.get("/api/models", in_thread(list_models)),
    web.get("/api/models/{digest}/manifest", get_manifest),
    web.post("/api/models/{digest}/offer", in_thread(offer_model)),
    web.get("/api/boards", in_thread(list_boards)),
    web.post("/api/usb/pause", in_thread(pause_port)),
    web.post("/api/usb/resume", in_thread(resume_port)),
]
