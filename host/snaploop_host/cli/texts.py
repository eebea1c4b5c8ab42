"""`snaploop text`: what is written in the boxes of a text project's photos."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import BadInputError
from .options import DataOption, JsonOption, opened, show


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("text")(text)


def text(
    project: Annotated[str, typer.Argument(help="A project of ocr_detect or ocr_recognize.")],
    photo: Annotated[str | None, typer.Argument(help="Name of the photo to set; none: list all.")] = None,
    texts: Annotated[list[str] | None, typer.Argument(help="One text per box, line by line; '' for none.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is written in the boxes of a project's photos, or set it for one photo."""
    from ..services.label_texts import LabelTexts

    if photo is not None and not texts:
        raise BadInputError(f"say what is written in {photo}: `snaploop text {project} {photo} TEXT...`, one per box")
    with opened(data) as host:
        service = LabelTexts(host.store)
        found = host.store.project_named(project)
        samples = [service.set(found, photo, texts)] if photo and texts else service.listed(found)
    rows = [
        {"photo": sample.name, "box": number, "xywh_px": [box.x, box.y, box.w, box.h], "text": box.text}
        for sample in samples
        for number, box in enumerate(sample.boxes, 1)
    ]
    columns = {"photo": "photo", "box": "box", "xywh_px": "x, y, w, h", "text": "text"}
    show(rows, columns, as_json, f"no photo of {project} has a box yet: frame texts on the Label screen")
