"""What the page and the API say before a training: its parameters, the balance of classes, an estimate, and what augmentation does."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..domain.class_balance import balance_warnings
from ..domain.projects import Project, check_task
from ..domain.scores import DETECT
from ..domain.training_parameters import PRESET_TEXTS, changed_settings, rules_of, settings_text
from ..errors import BadInputError
from .context import CONTEXT, Call, Context, in_thread


def recipe_values(context: Context, project: Project, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates show: rules of the task, what was given, counts of each class and what is wrong with them."""
    counts = context.train.balance(project.id)
    return {
        "rules": rules_of(project.task),
        "given": given,
        "filled": {**project.settings, **given},
        "settings_text": settings_text(project.settings),
        "presets": PRESET_TEXTS,
        "balance": counts,
        "balance_warnings": balance_warnings(counts) if any(one.train or one.val for one in counts) else [],
    }


def given_in(form: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parameters of a form or a query; fields left empty are not given.

    `settings`: of the project, which fill the form at first: one of these that was emptied is taken back (None).
    """
    emptied = dict.fromkeys(name for name in settings or {} if name in form and not str(form[name]).strip())
    return {name: str(value).strip() for name, value in form.items() if str(value).strip()} | emptied


def list_parameters(_context: Context, call: Call) -> Any:
    """What can be set for a training: ?task=detect."""
    rules = rules_of(check_task(call.query.get("task", DETECT)))
    return [dataclasses.asdict(rule) | {"allowed": rule.allowed} for rule in rules]


def balance(context: Context, call: Call) -> Any:
    """Labelled examples of each class on both sides, and sentences about what is wrong with that."""
    counts = context.train.balance(context.store.project_named(call.path["name"]).id)
    return {"classes": [dataclasses.asdict(one) for one in counts], "warnings": balance_warnings(counts)}


def estimate(context: Context, call: Call) -> Any:
    """How long a run with {"parameters": {...}} would take; measures for some seconds."""
    parameters = call.body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadInputError("parameters must be an object")
    return context.train.estimate(context.store.project_named(call.path["name"]).id, parameters)


def change_settings(context: Context, call: Call) -> Any:
    """Set parameters for every training of a project: {"parameters": {...}}; null takes one back, what is not named stays."""
    parameters = call.body.get("parameters")
    if not isinstance(parameters, dict):
        raise BadInputError('parameters must be an object, such as {"gate": 0.02}')
    project = context.store.project_named(call.path["name"])
    context.store.set_settings(project.id, changed_settings(project.task, project.settings, parameters))
    return context.overview.project(context.store.project(project.id))


def resume_run(context: Context, call: Call) -> Any:
    """Go on with a cancelled or failed run."""
    return context.overview.run(context.train.go_on(call.part("id")).id)


async def get_augmented(request: web.Request) -> web.StreamResponse:
    """A PNG of what training sees: ?preset=strong, and any other parameter."""
    context = request.app[CONTEXT]
    project = context.store.project_named(request.match_info["name"])
    given = given_in(request.query, project.settings)
    picture = await asyncio.to_thread(context.train.preview, project.id, given)
    return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": "private, max-age=60"})


ROUTES = [
    web.get("/api/parameters", in_thread(list_parameters)),
    web.get("/api/projects/{name}/balance", in_thread(balance)),
    web.post("/api/projects/{name}/estimate", in_thread(estimate)),
    web.put("/api/projects/{name}/settings", in_thread(change_settings)),
    web.get("/api/projects/{name}/augment.png", get_augmented),
    web.post("/api/runs/{id}/resume", in_thread(resume_run)),
    web.get("/projects/{name}/augment.png", get_augmented),
]
