"""A kmodel that lost too much and was sent all the same says so on the Live screen."""

from snaploop_shared import manifest


def live(rig, host, **fields):
    digest = host.publish(1, **fields)
    rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    rig.until(lambda: rig.state.detections)
    return " ".join(rig.board.display.canvas.texts())


def test_forced_model_says_so(rig, host):
    assert "forced" in live(rig, host, forced=True)
    assert rig.state.model.is_forced and rig.state.model.scores


def test_other_models_say_nothing_of_it(rig, host):
    assert "forced" not in live(rig, host)
    assert not manifest.parse(rig.state.model.raw).is_forced
