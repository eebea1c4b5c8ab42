"""A traffic light is read aloud: the lamp that is on fills the side of the screen, and an LED lights with green."""

from machine import Pin

from snaploop_device.handheld import NO_MODEL, Handheld

GREEN_LED_PIN = 33  # any free pin of your board with an LED and a resistor
LAMPS = (("red", (230, 57, 70), "STOP"), ("yellow", (255, 200, 40), "WAIT"), ("green", (60, 200, 90), "GO"))
STEADY_FRAMES = 3  # a lamp counts when it was seen so often in a row


class TrafficLight(Handheld):
    """Needs a model whose labels are red, yellow and green, such as the one of `make demo`."""

    def ready(self) -> None:
        """Take the LED's pin."""
        self.led = Pin(GREEN_LED_PIN, Pin.OUT)
        self.led.value(0)
        self.seen = ""
        self.times = 0
        self.lamp = ""

    def frame(self, found, now_ms) -> None:
        """The surest lamp of this frame decides."""
        best = max(found, key=_score)[0] if found else ""
        self.times = self.times + 1 if best == self.seen else 1
        self.seen = best
        if self.times >= STEADY_FRAMES:
            self.lamp = best
        self.led.value(1 if self.lamp == "green" else 0)
        self.overlay.clear()
        for label, score, x, y, w, h in found:
            self.overlay.rectangle(x, y, w, h, _colour(label), 3)
            self.overlay.text(x + 4, max(0, y - 24), 20, "{} {}".format(label, score // 10), _colour(label))
        self.overlay.show()
        self.canvas.clear()
        for index in range(len(LAMPS)):
            name, colour, word = LAMPS[index]
            is_on = name == self.lamp
            y = 70 + index * 110
            self.canvas.circle(720, y, 44, colour if is_on else (52, 60, 75), fill=is_on, thickness=3)
            if is_on:
                self.say(word, colour, 34)
        if not self.models.is_ready:
            self.say(NO_MODEL)
        self.canvas.show()

    def done(self) -> None:
        """LED off."""
        if hasattr(self, "led"):
            self.led.value(0)


def _score(one):
    return one[1]


def _colour(label):
    for name, colour, _word in LAMPS:
        if name == label:
            return colour
    return (240, 243, 248)
