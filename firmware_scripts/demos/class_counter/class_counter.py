"""Counts the things of one class in view; from a number on it rings a buzzer (PWM) and lights an LED."""

from machine import FPIOA, PWM, Pin

from snaploop_device.handheld import NO_MODEL, Handheld

CLASS = ""  # which class counts; "": the model's first one
ALARM_FROM = 2  # so many at once ring
LED_PIN = 33
BUZZER_PAD = 42  # a pad that can be PWM0: see your board's pin table
BUZZER_CHANNEL = 0
BUZZER_HZ = 2000
HOLD_MS = 800  # the alarm outlives a frame in which one was missed
RED, GREEN, TEXT = (255, 84, 84), (60, 200, 90), (240, 243, 248)


class ClassCounter(Handheld):
    """Needs a detection model."""

    def ready(self) -> None:
        """Take pin and PWM channel."""
        FPIOA().set_function(BUZZER_PAD, getattr(FPIOA, "PWM{}".format(BUZZER_CHANNEL)))
        self.buzzer = PWM(BUZZER_CHANNEL, BUZZER_HZ, 50, enable=False)
        self.led = Pin(LED_PIN, Pin.OUT)
        self.led.value(0)
        self.is_ringing = False
        self.rung_ms = None
        self.most = 0
        self.alarms = 0

    def frame(self, found, now_ms) -> None:
        """Count, ring, draw."""
        labels = self.models.manifest.labels if self.models.is_ready else []
        wanted = CLASS or (labels[0] if labels else "")
        counted = [one for one in found if one[0] == wanted]
        self.most = max(self.most, len(counted))
        if len(counted) >= ALARM_FROM:
            self.rung_ms = now_ms
        self.ring(self.rung_ms is not None and now_ms - self.rung_ms < HOLD_MS)
        colour = RED if self.is_ringing else GREEN
        self.overlay.clear()
        for _label, _score, x, y, w, h in counted:
            self.overlay.rectangle(x, y, w, h, colour, 3)
        self.overlay.show()
        self.canvas.clear()
        if self.models.is_ready:
            self.canvas.text(660, 20, 100, str(len(counted)), colour)
            self.canvas.text(660, 140, 24, wanted, TEXT)
            self.canvas.text(660, 180, 18, "most: {}".format(self.most), TEXT)
            self.canvas.text(660, 206, 18, "alarms: {}".format(self.alarms), TEXT)
            self.say("alarm" if self.is_ringing else "rings from {} on".format(ALARM_FROM), colour)
        else:
            self.say(NO_MODEL)
        self.canvas.show()

    def ring(self, is_on: bool) -> None:
        """Switch buzzer and LED."""
        if is_on == self.is_ringing:
            return
        self.is_ringing = is_on
        self.alarms += 1 if is_on else 0
        self.buzzer.enable(is_on)
        self.led.value(1 if is_on else 0)

    def done(self) -> None:
        """Silence."""
        if hasattr(self, "buzzer"):
            self.ring(False)
            self.buzzer.deinit()
