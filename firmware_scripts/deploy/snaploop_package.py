"""Where a deployment package lies on the card, and which panel the board has. For the scripts beside this one.

`snaploop package` writes this file's text into the scripts of its packages, so that each of them is one file. MicroPython 1.21 and newer.
"""

import json
import os

ROLES = {
    "det": ("AnchorBaseDet", "AnchorFreeDet", "FreeDet", "GFLDet"),
    "cls": ("can1", "can2", "can5", "can6", "can7", "can8", "can9"),
    "seg": ("DeepNet", "EDNet"),
    "ocrdet": ("OCR_DNet",),
    "ocrrec": ("OCR_RLNet", "OCR_RCNet"),
    "ml": ("metric_learning",),
    "multl": ("multilabel",),
}
"""Role → values of "model_type" in deploy_config.json."""

CONFIG = "deploy_config.json"
CARDS = ("/sdcard", "/data")
SOURCE = "mp_deployment_source"
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
FOLDERS_DEEP = 4  # looked for below a card's top: /sdcard/models/tried/lights_0123/mp_deployment_source


class DeployError(Exception):
    """Something that the user can mend; the text says how."""


def find_package(role: str, folder=None, kmodel=None) -> str:
    """The folder that holds deploy_config.json for `role`, without a slash at its end.

    Args:
        role: a key of ROLES.
        folder: where to look; None: beside this script, the usual places on the card, then everywhere on it.
        kmodel: only the package of this file name, when several may be there; None: any.

    Raises:
        DeployError: there is none, or it is of another task.
    """
    places = [folder] if folder else _usual_places(role)
    strangers = []
    found = _first_of(role, kmodel, places, strangers)
    if found is None and not folder:
        found = _first_of(role, kmodel, _folders_of_cards(), strangers)
    if found is not None:
        return found
    if strangers:
        raise DeployError("no package for {}: {}".format(role, "; ".join(strangers)))
    looked = ", ".join([place.rstrip("/") + "/" + CONFIG for place in places])
    raise DeployError("no package found (looked for {}): copy {} beside this script".format(looked, SOURCE))


def _first_of(role: str, kmodel, places, strangers: list):
    """The first place with a package of the role; others are noted in `strangers`."""
    seen = []
    for place in places:
        place = place.rstrip("/")
        if place in seen or not is_file(place + "/" + CONFIG):
            continue
        seen.append(place)
        config = read_config(place)
        kind = config.get("model_type")
        if kind in ROLES[role] and kmodel in (None, config.get("kmodel_path")):
            return place
        text = "{} is a {}" if kind not in ROLES[role] else "{} is another {}"
        strangers.append(text.format(place, kind))
    return None


def _usual_places(role: str) -> list:
    path = globals().get("__file__") or ""
    here = path[: path.rfind("/")] if "/" in path else os.getcwd()
    names = (role + "_" + SOURCE, SOURCE)
    places = [here.rstrip("/") + "/" + name for name in names] + [here or "/"]
    for card in CARDS:
        places += [card + "/" + name for name in names] + [card]
    return places


def _folders_of_cards():
    """Every folder of the cards, near the top first: a package may have been unzipped anywhere, and an IDE tells no script its place."""
    level = list(CARDS)
    for _ in range(FOLDERS_DEEP):
        below = []
        for place in level:
            try:
                names = sorted(os.listdir(place))
            except OSError:  # no such card, or no folder
                continue
            below += [place + "/" + name for name in names if is_folder(place + "/" + name)]
        for place in below:
            yield place
        level = below


def read_config(folder: str) -> dict:
    """deploy_config.json of a package.

    Raises:
        DeployError: it is not JSON.
    """
    path = folder.rstrip("/") + "/" + CONFIG
    try:
        with open(path) as file:
            return json.load(file)
    except ValueError:
        raise DeployError("{} is not JSON: copy the package again".format(path))


def is_file(path: str) -> bool:
    """Whether there is a file of this name."""
    return _mode(path) not in (0, 0x4000)


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name."""
    return _mode(path) == 0x4000


def _mode(path):
    """0x4000 for a folder, something else for a file, 0 for nothing."""
    try:
        return os.stat(path)[0] & 0x4000 or 1
    except OSError:
        return 0


def find_picture(path, folder: str) -> str:
    """The picture to look at: the one asked for, else the first of the package's own test pictures.

    Raises:
        DeployError: it is not there.
    """
    if path:
        if not is_file(path):
            raise DeployError("no picture {}: copy one to the card and give its path".format(path))
        return path
    for place in (folder + "/images", folder):
        for name in pictures_in(place):
            if not name.endswith("_result.jpg"):
                return place + "/" + name
    raise DeployError("no picture given and none in {}: call image(role, '/sdcard/photo.jpg')".format(folder))


def pictures_in(folder: str) -> "list[str]":
    """Names of the picture files of a folder, sorted; none when there is no such folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted([name for name in names if name.lower().endswith(PICTURES)])


def label_of(picture: str) -> str:
    """What a picture of the library shows: cup_1.jpg and cup_2.jpg show a cup, red_cup.jpg a red_cup."""
    name = picture[: picture.rfind(".")]
    word, _, number = name.rpartition("_")
    return word if word and number.isdigit() else name


def find_display() -> str:
    """ "lcd" where a touch panel answers, else "hdmi"."""
    try:
        from machine import TOUCH

        TOUCH(0)
    except Exception:  # boundary: firmwares differ in what they raise without a touch panel
        return "hdmi"
    return "lcd"


def with_room(picture, below_px: int):
    """An RGB888 copy of a picture with a dark bar below it, for words about a line of text that fills the picture."""
    import image

    rows = picture.to_numpy_ref()
    height, width = rows.shape[0], rows.shape[1]
    page = image.Image(max(width, 320), height + below_px, image.RGB888)
    page.clear()
    page.to_numpy_ref()[:height, :width] = rows
    return page


def tint(picture, regions) -> None:
    """Colour a photo (an RGB888 image) by half where `regions`, (h, w, 3) uint8 of its size, have the firmware's colours.

    Those have green in every class but the background (k230-platform §6.3).
    """
    from ulab import numpy as np

    rows = picture.to_numpy_ref()
    for y in range(regions.shape[0]):  # row by row: a whole photo of floats does not fit beside the model
        if np.max(regions[y]) > 0:
            share = (regions[y, :, 1:2] > 0) * 0.5
            rows[y] = np.array(rows[y] * (1 - share) + regions[y] * share, dtype=np.uint8)
