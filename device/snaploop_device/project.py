"""The project that the host told us, kept on the card so that labels can be given before the next sync."""

import json

from snaploop_shared.portable import parse_json

FILE = "project.json"


def load(card) -> dict:
    """{"name", "task", "classes", "host"}; empty values when nothing is known yet."""
    unknown = {"name": "", "task": "detect", "classes": [], "host": ""}
    card.finish(FILE, _is_project)
    if not card.has(FILE):
        return unknown
    try:
        return checked(parse_json(card.read(FILE)))
    except ValueError as error:
        print("project.json:", error)  # the next hello brings it again
        return unknown


def save(card, project: dict) -> None:
    """Keep it."""
    card.write(FILE, json.dumps(project).encode())


def checked(fields) -> dict:
    """The project in parsed JSON.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("classes"), list):
        raise ValueError("the host sent no list of classes")
    for name in fields["classes"]:
        if not isinstance(name, str) or not name:
            raise ValueError("class {!r} is no name".format(name))
    return {
        "name": str(fields.get("name", "")),
        "task": str(fields.get("task", "")) or "detect",
        "classes": fields["classes"],
        "host": str(fields.get("host", "")),
    }


def _is_project(data):
    try:
        checked(parse_json(data))
    except ValueError:
        return False
    return True
