"""What a person may set for a training: names, ranges, and presets of augmentation. Pure, no I/O.

One table for the command line, the page's form, the service that queues a run, and the job itself. Sets of S0-10 and S4-09.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadInputError
from .scores import CLASSIFY, DETECT, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT

WHOLE, NUMBER, SWITCH, CHOICE, TEXT = "whole number", "number", "switch", "choice", "text"
MIRRORED = (DETECT, CLASSIFY, MULTILABEL, EMBED, SEGMENT)  # text is never mirrored
PLACED = (*MIRRORED, OCR_DETECT)  # photos that are scaled and shifted; lines of text are cut out anew instead
AUTO, SCRATCH, PRETRAINED, WARM = "auto", "scratch", "pretrained", "warm"
STARTS = (AUTO, SCRATCH, PRETRAINED, WARM)
NETWORK = "network"
OWN_NETWORK, DOCTR_DB, DOCTR_CRNN = "own", "db_mobilenet_v3_large", "crnn_mobilenet_v3_small"
MOBILENET = "mobilenetv2_100"
OPTIMIZERS = ("AdamW", "Adam", "SGD")
STOP_CHANGE = 0.05  # when only stop_epochs is given: S0-11
NORMAL = "normal"
DEVICES = ("auto", "cpu", "cuda", *(f"cuda:{number}" for number in range(8)))

PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {
        "scale": 0.0,
        "shift": 0.0,
        "mirror": 0.0,
        "mosaic": 0.0,
        "hue": 0.0,
        "saturation": 0.0,
        "brightness": 0.0,
        "distort": 0.0,
    },
    "gentle": {
        "scale": 0.2,
        "shift": 0.05,
        "mirror": 0.5,
        "mosaic": 0.25,
        "hue": 0.008,
        "saturation": 0.25,
        "brightness": 0.2,
        "distort": 0.5,
    },
    NORMAL: {
        "scale": 0.4,
        "shift": 0.1,
        "mirror": 0.5,
        "mosaic": 0.5,
        "hue": 0.015,
        "saturation": 0.5,
        "brightness": 0.4,
        "distort": 1.0,
    },
    "strong": {
        "scale": 0.6,
        "shift": 0.2,
        "mirror": 0.5,
        "mosaic": 0.7,
        "hue": 0.04,
        "saturation": 0.7,
        "brightness": 0.6,
        "distort": 1.5,
    },
}
"""Preset → what it sets; a parameter that is given itself wins."""

PRESET_TEXTS = {
    "none": "photos as they are: for a camera that never moves, under one light",
    "gentle": "a little nearer or farther, a little lighter or darker",
    NORMAL: "what suits most sets of 20 to 500 photos",
    "strong": "far nearer or farther, other light: for few photos of things that will be seen in many ways",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One parameter: what may be given, and for whom.

    Attributes:
        default: in words.
        low, high: of numbers.
        step: whole numbers must be a multiple of it.
        tasks: that have it; all when empty.
        is_basic: S0-10 and S4-09 have it in their forms; the page shows it first.
    """

    name: str
    kind: str
    what: str
    default: str
    low: float = 0
    high: float = 0
    step: int = 1
    choices: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    is_basic: bool = False

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind == CHOICE:
            return ", ".join(self.choices)
        if self.kind == SWITCH:
            return "true, false"
        if self.kind == TEXT:
            return "text"
        multiple = f", a multiple of {self.step}" if self.step > 1 else ""
        return f"{self.kind}s from {self.low:g} to {self.high:g}{multiple}"

    def read(self, value: Any) -> Any:
        """The value in its type; a form's text is read too.

        Raises:
            BadInputError: it is not allowed; the line names the parameter and what is.
        """
        refused = BadInputError(f"{self.name}={value}: allowed are {self.allowed}")
        if self.kind == CHOICE:
            found = next((one for one in self.choices if one.lower() == str(value).lower()), None)
            if found is None:
                raise refused
            return found
        if self.kind == TEXT:
            if isinstance(value, (dict, list, bool)) or not str(value):
                raise refused
            return str(value)
        if self.kind == SWITCH:
            known = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
            if (found_switch := known.get(str(value).lower())) is None:
                raise refused
            return found_switch
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise refused
        try:
            number = float(value)
        except (ValueError, OverflowError):  # no number, or one of more digits than fit
            raise refused from None
        is_whole = self.kind == WHOLE
        if not math.isfinite(number) or not self.low <= number <= self.high:
            raise refused
        if is_whole and (number != int(number) or int(number) % self.step):
            raise refused
        return int(number) if is_whole else number


RULES = (
    Rule("epochs", WHOLE, "times that all photos are shown, at most", "from the photos", 1, 5000, is_basic=True),
    Rule("patience", WHOLE, "ends after so many epochs without gain", "from the epochs", 1, 5000, is_basic=True),
    Rule("batch", WHOLE, "photos per step; halved by itself when there is no memory", "8", 1, 256, is_basic=True),
    Rule("imgsz", WHOLE, "longer side of the model's input, px", "of the task", 96, 1280, 32, is_basic=True),
    Rule(
        "square",
        SWITCH,
        "a square input, which some of the vendor's scripts for firmware 1.2.2 want, instead of the photos' shape",
        "false",
        tasks=(DETECT, SEGMENT, OCR_DETECT),
    ),
    Rule("optimizer", CHOICE, "how weights are moved", "AdamW", choices=OPTIMIZERS, is_basic=True),
    Rule("lr0", NUMBER, "first learning rate", "from the start", 1e-6, 1, is_basic=True),
    Rule("lrf", NUMBER, "last learning rate, as a share of the first", "0.02", 1e-4, 1, is_basic=True),
    Rule(
        "box_limit",
        WHOLE,
        "labels that a photo may have",
        "any number",
        1,
        1000,
        tasks=(DETECT, SEGMENT, OCR_DETECT, OCR_RECOGNIZE),
        is_basic=True,
    ),
    Rule(
        "start",
        CHOICE,
        "weights to begin with; auto: the last model's, else pretrained, else none (scratch)",
        AUTO,
        choices=STARTS,
        is_basic=True,
    ),
    Rule("max_minutes", NUMBER, "a run estimated longer is refused", "none", 0.1, 10000, is_basic=True),
    Rule(
        "stop_change",
        NUMBER,
        "ends when the loss changes less than this, stop_epochs times in a row",
        "off",
        1e-6,
        10,
        is_basic=True,
    ),
    Rule("stop_epochs", WHOLE, "epochs of the stop rule", "40", 2, 1000, is_basic=True),
    Rule("preset", CHOICE, "how far photos are changed", NORMAL, choices=tuple(PRESETS), is_basic=True),
    Rule("scale", NUMBER, "nearer or farther, as a share", "of the preset", 0, 0.9, tasks=PLACED),
    Rule("shift", NUMBER, "moved, as a share of the picture", "of the preset", 0, 0.5, tasks=PLACED),
    Rule("mirror", NUMBER, "share of mirrored photos", "of the preset", 0, 1, tasks=MIRRORED),
    Rule("mosaic", NUMBER, "share of pictures made of four", "of the preset", 0, 1, tasks=(DETECT,)),
    Rule("hue", NUMBER, "colour turned, as a share of the circle", "of the preset", 0, 0.5, tasks=MIRRORED),
    Rule("saturation", NUMBER, "stronger or weaker colours", "of the preset", 0, 1, tasks=MIRRORED),
    Rule("brightness", NUMBER, "lighter or darker", "of the preset", 0, 1, tasks=MIRRORED),
    Rule(
        "distort",
        NUMBER,
        "turning, stretching, blur and colour of text",
        "of the preset",
        0,
        2,
        tasks=(OCR_DETECT, OCR_RECOGNIZE),
    ),
    *(
        Rule(
            NETWORK,
            CHOICE,
            "what learns: our own small one, or doctr's, which is several times slower and has pretrained weights",
            OWN_NETWORK,
            choices=(OWN_NETWORK, other),
            tasks=(task,),
        )
        for task, other in ((OCR_DETECT, DOCTR_DB), (OCR_RECOGNIZE, DOCTR_CRNN))
    ),
    Rule(
        NETWORK,
        CHOICE,
        "what learns: our own, small and quick from scratch, or timm's, which wants pretrained weights or many photos; "
        "auto: the last model's, else timm's where its weights are here, else own",
        AUTO,
        choices=(AUTO, OWN_NETWORK, MOBILENET),
        tasks=(CLASSIFY, MULTILABEL, EMBED),
    ),
    Rule("dictionary", TEXT, "all characters that may occur", "from the labels", tasks=(OCR_RECOGNIZE,)),
    Rule("momentum", NUMBER, "of SGD; beta 1 of Adam and AdamW", "0.9", 0, 0.999),
    Rule("weight_decay", NUMBER, "pull of the weights towards 0", "0.0005", 0, 0.5),
    Rule("warmup_steps", WHOLE, "steps until the first learning rate is reached", "60", 1, 100000),
    Rule("ema_steps", WHOLE, "steps over which weights are averaged", "40", 1, 100000),
    Rule("device", CHOICE, "what computes: auto takes a GPU when there is one", "auto", choices=DEVICES),
    Rule("bf16", SWITCH, "half-precision arithmetic where the machine has it", "true"),
    Rule("threads", WHOLE, "threads; a number makes runs repeat to the last digit", "as many as help", 1, 256),
    Rule("seed", WHOLE, "of everything random", "0", 0, 2**31 - 1),
    Rule("score_threshold", NUMBER, "least score that boards show", "from validation", 0.01, 0.99),
    Rule(
        "gate",
        NUMBER,
        "share of the strict metric that the kmodel may lose; 0.01 is one point",
        "0.01",
        0,
        0.99,
        is_basic=True,
    ),
    Rule(
        "gate_images", WHOLE, "validation photos that the simulator sees first; 12 after a warm start", "20", 1, 10000
    ),
    Rule("gate_seconds", NUMBER, "for more of them where those cannot tell", "300", 0, 86400),
    Rule("force", SWITCH, "the kmodel is offered even when it loses too much or finds nothing", "false"),
    Rule("nncase", TEXT, "version of the compiler; only the installed one is possible", "the installed one"),
)
ALIASES = {"iterations": "epochs", "learning_rate": "lr0", "image_size": "imgsz", "nncase_version": "nncase"}
"""What other platforms call them."""

_NAMES = {rule.name for rule in RULES}


def rules_of(task: str) -> tuple[Rule, ...]:
    """What can be set for a task."""
    return tuple(rule for rule in RULES if not rule.tasks or task in rule.tasks)


def check_parameters(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their own names and types; values of None are left out.

    Raises:
        BadInputError: an unknown name, or a value that is not allowed; the line names the parameter and what is allowed.
    """
    known = {rule.name: rule for rule in rules_of(task)}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        own = ALIASES.get(name, name)
        if own not in _NAMES:
            near = difflib.get_close_matches(name, [*known, *ALIASES], 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise BadInputError(f"unknown parameter {name}{meant}: known are {', '.join(sorted(known))}")
        if own not in known:
            tasks = ", ".join(one for rule in RULES if rule.name == own for one in rule.tasks)
            raise BadInputError(f"parameter {own} is of {tasks}, this project is of {task}: leave it out")
        if own in found and name != own:
            raise BadInputError(f"{name} and {own} are the same parameter: give one of them")
        found[own] = known[own].read(value)
    if "stop_epochs" in found:
        found.setdefault("stop_change", STOP_CHANGE)
    return found


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with what their preset sets; what is given itself wins."""
    return {**PRESETS[str(given.get("preset", NORMAL))], **given}


def default_network(task: str) -> str:
    """What parameter `network` is when nobody gives it."""
    return AUTO if task in (CLASSIFY, MULTILABEL, EMBED) else OWN_NETWORK


Check = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""`check_parameters`, or what a test puts in its place."""


def changed_settings(
    task: str, settings: Mapping[str, Any], given: Mapping[str, Any], check: Check = check_parameters
) -> dict[str, Any]:
    """A project's settings with some of them changed; a value of None takes one back.

    Raises:
        BadInputError: as `check_parameters`, also for the name of one to take back.
    """
    gone = _taken_back(given)
    if unknown := sorted(gone - _NAMES):
        check(task, {unknown[0]: ""})  # says which are known
    return {name: value for name, value in settings.items() if name not in gone} | check(task, given)


def with_settings(
    task: str, settings: Mapping[str, Any], given: Mapping[str, Any], check: Check = check_parameters
) -> dict[str, Any]:
    """The parameters of a run: its project's settings, and over them what is given for this run alone.

    None takes a setting back for this run. A preset that is given takes back the single figures of augmentation.

    Raises:
        BadInputError: as `check_parameters`.
    """
    own = check(task, given)
    gone = _taken_back(given) | (set(PRESETS[NORMAL]) if "preset" in own else set())
    if "stop_change" in gone:
        gone.add("stop_epochs")
    return check(task, {name: value for name, value in settings.items() if name not in gone}) | own


def settings_text(settings: Mapping[str, Any]) -> str:
    """For people, as the command line takes them: "gate=0.02, imgsz=256"."""
    return ", ".join(f"{name}={_said(value)}" for name, value in settings.items())


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _taken_back(given: Mapping[str, Any]) -> set[str]:
    return {ALIASES.get(name, name) for name, value in given.items() if value is None}
