"""The page at `/`: projects, newest photos with their labels, the running job, models, boards. Rendered here, refreshed by static/live.js.

Buttons are plain forms, so the page works without its script; the script only exchanges the sections that changed.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from aiohttp import web

from snaploop_shared import palette

from ..domain.models import GATE_LIMIT_POINTS
from ..domain.projects import DETECT, TASK_TITLES, Project, check_classes, check_project_name, check_task
from ..domain.scores import METRIC_TITLES, METRICS, headline, scores_text
from ..domain.training_parameters import check_parameters
from ..errors import HostError, NotFoundError, http_status
from ..services.overview import sample_fields
from .context import CONTEXT, Context
from .curve import HEIGHT, WIDTH, curve
from .next_step import next_step
from .recipe import given_in, recipe_values
from .void_areas import layers

SHOWN_PHOTOS = 36
SHOWN_MODELS = 8


@functools.cache
def environment() -> jinja2.Environment:
    """The templates with our filters; made once."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("snaploop_host.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        void_layers=layers, ago=_ago, duration=_duration, size=_size, score=_score, scores_text=scores_text
    )
    environment.globals.update(curve_width=WIDTH, curve_height=HEIGHT, task_titles=TASK_TITLES)
    return environment


def _ago(then_s: float | None, now_s: float) -> str:
    if then_s is None:
        return "never"
    seconds = max(0.0, now_s - then_s)
    return "just now" if seconds < 5 else f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _size(count: int) -> str:
    for size, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


async def get_page(request: web.Request) -> web.StreamResponse:
    """The page of the newest project, or of the one in the address."""
    context = request.app[CONTEXT]
    return await _page(context, request.match_info.get("name"))


async def get_live(request: web.Request) -> web.StreamResponse:
    """The sections that change by themselves, for live.js."""
    context = request.app[CONTEXT]
    html = await asyncio.to_thread(_render, context, "_sections.html", request.match_info["name"], "")
    return web.Response(text=html, content_type="text/html")


async def get_photo_page(request: web.Request) -> web.StreamResponse:
    """One photo, large, with its labels."""
    context = request.app[CONTEXT]
    project = context.store.project_named(request.match_info["name"])
    digest = request.match_info["digest"]
    sample = next((one for one in context.store.samples(project.id) if one.photo == digest), None)
    if sample is None:
        raise NotFoundError(f"no photo {digest[:12]} in {project.name}")
    values = {
        "project": project,
        "sample": sample_fields(sample),
        "colour": _colours(project),
        "projects": context.store.projects(),
    }
    return web.Response(text=environment().get_template("photo.html").render(values), content_type="text/html")


async def post_project(request: web.Request) -> web.StreamResponse:
    """Make a project from the form."""
    context = request.app[CONTEXT]
    form = await request.post()
    try:
        name = check_project_name(str(form.get("name", "")).strip())
        task = check_task(str(form.get("task", DETECT)))
        classes = check_classes(tuple(part for part in str(form.get("classes", "")).split(",") if part.strip()), task)
        context.store.add_project(name, task, classes, context.clock())
    except HostError as error:
        return await _page(context, None, error)
    raise web.HTTPSeeOther(f"/projects/{name}")


async def post_train(request: web.Request) -> web.StreamResponse:
    """Start a training."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    project = context.store.project_named(name)
    given = given_in(await request.post(), project.settings)
    return await _done(context, name, lambda: context.train.start(project.id, given), {"given": given})


async def post_settings(request: web.Request) -> web.StreamResponse:
    """Keep what the form holds for every training of the project, and nothing else."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    project = context.store.project_named(name)
    given = given_in(await request.post())

    def keep() -> None:
        context.store.set_settings(project.id, check_parameters(project.task, given))

    return await _done(context, name, keep, {"given": given})


async def post_estimate(request: web.Request) -> web.StreamResponse:
    """Say how long a training would take; measures for some seconds."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    project = context.store.project_named(name)
    given = given_in(await request.post(), project.settings)
    try:
        found = await asyncio.to_thread(context.train.estimate, project.id, given)
    except HostError as error:
        return await _page(context, name, error, {"given": given})
    said = {"estimate": found["text"], "refused": found.get("refused", ""), "given": given}
    return await _page(context, name, more=said)


async def post_resume(request: web.Request) -> web.StreamResponse:
    """Go on with the run in the address."""
    context, run_id = request.app[CONTEXT], int(request.match_info["run"])
    return await _done(context, request.match_info["name"], lambda: context.train.go_on(run_id))


async def post_cancel(request: web.Request) -> web.StreamResponse:
    """Cancel the run in the address."""
    context, run_id = request.app[CONTEXT], int(request.match_info["run"])
    return await _done(context, request.match_info["name"], lambda: context.train.cancel(run_id))


async def post_offer(request: web.Request) -> web.StreamResponse:
    """Offer the model in the address again."""
    context, model = request.app[CONTEXT], request.match_info["model"]
    return await _done(context, request.match_info["name"], lambda: context.train.publisher.offer_again(model))


async def _done(
    context: Context, name: str, action: Callable[[], object], more: Mapping[str, Any] | None = None
) -> web.StreamResponse:
    """Do it and go back to the project's page; what speaks against it stands on the page, with `more` as it was typed."""
    try:
        await asyncio.to_thread(action)
    except HostError as error:
        return await _page(context, name, error, more)
    raise web.HTTPSeeOther(f"/projects/{name}")


async def _page(
    context: Context, name: str | None, error: HostError | None = None, more: Mapping[str, Any] | None = None
) -> web.Response:
    notice = "" if error is None else str(error)
    html = await asyncio.to_thread(_render, context, "page.html", name, notice, more)
    return web.Response(text=html, content_type="text/html", status=200 if error is None else http_status(error))


def _render(
    context: Context, template: str, name: str | None, notice: str, more: Mapping[str, Any] | None = None
) -> str:
    projects = context.store.projects()
    project = context.store.project_named(name) if name else (projects[-1] if projects else None)
    values: dict[str, Any] = {"projects": projects, "project": project, "notice": notice, "now_s": context.clock()}
    values["usb"] = context.usb.state()
    values["installs"] = {job["port"]: job for job in context.installs.state()}
    if project is not None:
        values |= _project_values(context, project)
        values |= recipe_values(context, project, (more or {}).get("given", {}))
    values |= {"estimate": "", "refused": "", **(more or {})}
    return environment().get_template(template).render(values)


def _project_values(context: Context, project: Project) -> dict[str, Any]:
    overview, now_s = context.overview, context.clock()
    runs, models, boards = overview.runs(project), overview.models(project), overview.boards(now_s, project)
    counts = overview.project(project)
    # The one people look for first comes first: its line is the boldest.
    metrics = sorted(METRICS[project.task], key=lambda name: name != headline(project.task))
    run = next((one for one in runs if one["is_active"]), runs[0] if runs else None)
    return {
        "counts": counts,
        "samples": overview.samples(project, SHOWN_PHOTOS),
        "run": run,
        "said_of_time": {} if run is None else context.train.said_of_time(run["id"]),
        "earlier": [one for one in runs if run is None or one["id"] != run["id"]][:4],
        "curve": None if run is None else curve(overview.curve(run["id"]), metrics, run["epochs"]),
        "models": models[:SHOWN_MODELS],
        "boards": boards,
        "offered": next((model["digest"] for model in models if model["is_gate_passed"]), ""),
        "colour": _colours(project),
        "metrics": metrics,
        "headline": metrics[0],
        "titles": METRIC_TITLES,
        "limit_points": project.settings.get("gate", GATE_LIMIT_POINTS),
        "step": next_step(counts, run, models, boards, context.usb.state()),
    }


def _colours(project: Project) -> dict[str, int]:
    """Class name → number of its colour, c0…c9 of the style sheet."""
    return palette.slots(project.classes)


ROUTES = [
    web.get("/", get_page),
    web.post("/projects", post_project),
    web.get("/projects/{name}", get_page),
    web.get("/projects/{name}/live", get_live),
    web.post("/projects/{name}/train", post_train),
    web.post("/projects/{name}/estimate", post_estimate),
    web.post("/projects/{name}/settings", post_settings),
    web.post(r"/projects/{name}/runs/{run:\d{1,15}}/cancel", post_cancel),
    web.post(r"/projects/{name}/runs/{run:\d{1,15}}/resume", post_resume),
    web.post("/projects/{name}/models/{model:[0-9a-f]{12}}/offer", post_offer),
    web.get("/projects/{name}/photos/{digest:[0-9a-f]{64}}", get_photo_page),
]
