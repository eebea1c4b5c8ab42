"""Models: fetched, checked, swapped between two frames, tried, confirmed; everything that can go wrong before and after."""

import json

from fakes.device_board import FakeBoard, raw_heads
from fakes.device_host import KEY
from snaploop_shared import messages, model_slots
from snaploop_shared.messages import Response
from snaploop_shared.portable import sha256_hex


def states(host):
    return [(one["state"], one["reason"]) for one in host.deployments]


def go_live(rig, host, serial=1, **arguments):
    digest = host.publish(serial, **arguments)
    if rig.state.screen != "live":
        rig.tap("tab:live")
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    return digest


def test_first_model_goes_live_without_a_restart(rig, host):
    digest = go_live(rig, host)
    rig.until(lambda: len(host.deployments) == 3)
    assert states(host) == [("received", ""), ("trial", ""), ("confirmed", "")]
    rig.until(lambda: rig.state.detections)
    assert rig.state.detections == [(0, 900, 80, 68, 60, 120)]
    shown = rig.board.display.overlay.shown
    assert shown[0] == ("rectangle", 80, 68, 60, 120, rig.state.colour_of("red"), 3, False) and shown[2][4] == "red 90"
    assert digest[:12] in rig.board.display.canvas.texts() and "91.3 %" in rig.board.display.canvas.texts()
    assert (rig.root / "models" / digest[:12] / "model.kmodel").read_bytes() == host.blobs[digest]


def test_swap_with_room_shows_a_model_in_every_frame(rig, host):
    go_live(rig, host, 1)
    second = go_live(rig, host, 2)
    rig.until(lambda: len(host.deployments) == 6)
    assert host.deployments[-1] == {"digest": second, "state": "confirmed", "reason": "", "text": "", "gap_frames": 0}
    assert len(rig.board.kpu.loaded) == 1  # the old one was released


def test_swap_without_room_counts_its_gap(rig, host):
    go_live(rig, host, 1)
    rig.board.kpu.room = False
    go_live(rig, host, 2)
    rig.until(lambda: len(host.deployments) == 6)
    assert 1 <= host.deployments[-1]["gap_frames"] <= 3
    assert len(rig.board.kpu.loaded) == 1


def test_trial_runs_on_any_screen(rig, host):
    digest = host.publish(1)
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    assert rig.state.screen == "capture" and rig.state.detections == []


def test_slow_kpu_is_confirmed_after_three_seconds(rig, host):
    kpu, clock = rig.board.kpu, rig.board.clock
    fast = kpu.live_outputs

    def slow(network):
        clock.ms += 4000
        return fast(network)

    kpu.live_outputs = slow
    go_live(rig, host)
    assert kpu.runs <= 2


def test_failing_first_frame_rolls_back_to_the_old_one(rig, host):
    first = go_live(rig, host, 1)
    good = rig.board.kpu.live_outputs

    def fails(network):
        if "live" in rig.state.screen and network is not rig.board.kpu.loaded[0]:
            raise RuntimeError("KPU run failed.")
        return good(network)

    rig.board.kpu.live_outputs = fails
    second = host.publish(2)
    rig.until(lambda: ("rolled_back", "run_failed") in states(host))
    assert rig.app.models.active == first and rig.app.models.is_ready
    assert len(rig.board.kpu.loaded) == 1
    rig.until(lambda: rig.state.model is not None and rig.state.model.digest == first)
    asked = len([1 for path, _ in host.requests if path == messages.MODEL])
    rig.steps(500)
    assert (
        len([1 for path, _ in host.requests if path == messages.MODEL]) == asked
    )  # the broken one is not fetched again
    assert rig.app.models._slots.broken == second


def test_not_finite_output_rolls_back(rig, host):
    go_live(rig, host, 1)
    bad = raw_heads([], 320, 192, 2)
    bad[1][0, 1, 0, 0] = float("nan")
    good = rig.board.kpu.live_outputs
    rig.board.kpu.live_outputs = lambda network: bad if network is not rig.board.kpu.loaded[0] else good(network)
    host.publish(2)
    rig.until(lambda: ("rolled_back", "not_finite") in states(host))
    assert rig.app.models.is_ready


def test_rollback_without_room_loads_the_old_one_again(rig, host):
    first = go_live(rig, host, 1)
    kpu = rig.board.kpu
    kpu.room = False
    good = kpu.live_outputs

    def fails(network):
        if first[:12] not in network.path:
            raise RuntimeError("KPU run failed.")
        return good(network)

    kpu.live_outputs = fails
    host.publish(2)
    rig.until(lambda: ("rolled_back", "run_failed") in states(host))
    rig.until(lambda: rig.app.models.is_ready)
    assert rig.app.models.manifest.digest == first and len(kpu.loaded) == 1


def test_golden_mismatch_is_refused_and_the_old_one_stays(rig, host):
    first = go_live(rig, host, 1)
    host.publish(2, detections=((0, 900, 10, 10, 20, 20),))
    rig.until(lambda: ("refused", "golden_mismatch") in states(host))
    assert rig.app.models.active == first and rig.app.models.is_ready and len(rig.board.kpu.loaded) == 1
    assert "misses" in rig.state.message or "misses" in rig.state.model_state


def test_load_failure_is_refused(rig, host):
    rig.board.kpu.load_error = EOFError("KPU load model failed from path.")
    host.publish(1)
    rig.until(lambda: ("refused", "load_failed") in states(host))
    assert not rig.app.models.is_ready and rig.app.models._slots.state == model_slots.IDLE


def test_load_failure_without_room_brings_the_old_one_back(rig, host):
    first = go_live(rig, host, 1)
    kpu = rig.board.kpu
    kpu.room = False
    real = kpu.load

    def load(path, placement):
        if first[:12] not in path:
            raise OSError("Kmodel file not exist.")
        return real(path, placement)

    kpu.load = load
    host.publish(2)
    rig.until(lambda: ("refused", "load_failed") in states(host))
    rig.until(lambda: rig.app.models.is_ready)
    assert rig.app.models.manifest.digest == first


def fetched_blobs(host):
    return [path for path, _ in host.requests if path == messages.BLOB]


def test_wrong_nncase_is_refused_before_a_byte_is_fetched(rig, host):
    host.publish(1, nncase="2.9.0")
    rig.until(lambda: ("refused", "wrong_nncase") in states(host))
    assert fetched_blobs(host) == [] and "nncase 2.9.0" in host.deployments[0]["text"]
    rig.steps(300)
    assert len(host.deployments) == 1


def test_bad_signature_is_refused(rig, host):
    digest = host.publish(1)
    raw = host.model[2]
    host.model = (digest, 1, raw + b" ")
    answer = Response(messages.OK, {"digest": digest, "serial": 1, "signature": "00" * 32}, raw)
    host.answer_with[messages.MODEL] = answer
    rig.until(lambda: ("refused", "bad_signature") in states(host))
    assert fetched_blobs(host) == []


def test_old_serial_is_refused(rig, host):
    go_live(rig, host, 5)
    host.publish(3)
    digest, _, raw = host.model
    host.model = (digest, 9, raw)  # the offer lies about the serial, the signed manifest does not
    rig.until(lambda: ("refused", "old_serial") in states(host))


def test_full_card_is_refused_with_how_much_is_free(rig, host):
    rig.app.card.free_bytes = lambda: 2000000 - 1000000
    host.publish(1)
    rig.until(lambda: ("refused", "no_room") in states(host))
    assert "KiB free" in host.deployments[0]["text"]
    assert fetched_blobs(host) == []


def test_damaged_blob_is_fetched_once_more(rig, host):
    digest = host.publish(1)
    good = host.blobs[digest]
    host.blobs[digest] = b"x" + good[1:]
    rig.until(lambda: len(fetched_blobs(host)) >= 3)
    host.blobs[digest] = good
    rig.until(lambda: rig.app.models.active == digest)


def test_blob_that_stays_wrong_is_refused(rig, host):
    digest = host.publish(1)
    host.blobs[digest] = b"x" + host.blobs[digest][1:]
    rig.until(lambda: ("refused", "bad_digest") in states(host))
    assert list((rig.root / "models" / digest[:12]).glob("model*")) == []


def test_host_without_the_blob_for_a_while(rig, host):
    digest = host.publish(1)
    host.answer_with[messages.BLOB] = Response(messages.FAILED, {"error": "compiling"})
    rig.until(lambda: "compiling" in rig.state.model_state)
    asked = len(fetched_blobs(host))
    rig.steps(50)
    assert len(fetched_blobs(host)) <= asked + 2
    host.answer_with.clear()
    rig.until(lambda: rig.app.models.active == digest)


def test_cut_fetch_goes_on_after_a_restart(rig, host):
    digest = host.publish(1, kmodel=bytes(range(256)) * 1000)
    part = rig.root / "models" / digest[:12] / "model.kmodel.part"
    rig.until(lambda: part.exists() and part.stat().st_size >= 65536)
    host.requests.clear()
    rig.restart()
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    assert len(fetched_blobs(host)) <= 6 + 6  # 256000 - 65536 bytes, and the golden input of 184320


def test_restart_during_the_trial_rolls_back(rig, host):
    first = go_live(rig, host, 1)
    rig.tap("tab:label")
    second = host.publish(2)
    never_proved(rig)
    assert rig.app.models.active == second
    host.model = None
    rig.restart()
    rig.until(lambda: ("rolled_back", "restart") in states(host))
    assert rig.app.models.active == first
    rig.until(lambda: rig.app.models.is_ready)


def never_proved(rig):
    """Stop where the new model is live and has not run yet."""
    rig.board.kpu.room = True
    rig.until(lambda: rig.app.models._swap is not None)
    rig.app.models._swap.count_run = lambda now_ms: False
    rig.until(lambda: rig.app.models.is_trial)


def test_one_restart_in_the_trial_may_be_the_plug_two_are_the_model(rig, host):
    first = go_live(rig, host, 1)
    rig.tap("tab:label")
    second = host.publish(2)
    for _ in range(2):
        never_proved(rig)
        rig.restart()
        rig.tap("tab:label")
        assert rig.app.models.active == first
    rig.steps(800)
    assert rig.app.models.active == first and states(host).count(("rolled_back", "restart")) == 2
    host.offer_again(3)  # on purpose
    rig.until(lambda: rig.app.models.active == second and not rig.app.models.is_trial)


def test_what_another_firmware_refused_is_tried_again(rig, host):
    rig.board.kpu.load_error = EOFError("KPU load model failed from path.")
    digest = host.publish(1)
    rig.until(lambda: ("refused", "load_failed") in states(host))
    rig.steps(500)
    rig.restart()
    rig.steps(500)
    assert not rig.app.models.is_ready and len(host.deployments) == 2  # received, refused
    board = FakeBoard(host)
    board.identity.firmware = lambda: "v1.6"
    rig.restart(identity=board.identity)
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    assert not (rig.root / "refused.json").exists()


def test_refused_model_that_is_offered_again_on_purpose_is_taken(rig, host):
    digest = host.publish(1, detections=((0, 900, 10, 10, 20, 20),))
    for serial in (2, 3):
        rig.until(lambda times=serial - 1: states(host).count(("refused", "golden_mismatch")) == times)
        rig.steps(300)
        host.offer_again(serial)
    rig.board.kpu.golden_outputs = lambda network: raw_heads([(0, 10, 10, 20, 20)], 320, 192, 2)  # the reason is gone
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)
    assert len(fetched_blobs(host)) == 9  # 70000 bytes and the golden input of 184320, once


def test_full_card_that_has_room_again_takes_the_model(rig, host):
    real = rig.app.card.free_bytes
    rig.app.card.free_bytes = lambda: 1000000
    digest = host.publish(1)
    rig.until(lambda: ("refused", "no_room") in states(host))
    rig.app.card.free_bytes = real
    rig.until(lambda: rig.app.models.active == digest, limit=20000)


def test_old_manifest_is_no_replay_after_a_rollback_either(rig, host):
    old = host.model if host.publish(1) else None
    go_live(rig, host, 2)
    host.model = old
    rig.steps(800)
    assert len([1 for path, _ in host.requests if path == messages.MODEL]) == 1  # not even asked for


def test_damaged_kmodel_falls_back_to_the_model_before_it(rig, host):
    first, second = go_live(rig, host, 1), go_live(rig, host, 2)
    host.model = None
    board = FakeBoard(host)
    real = board.kpu.load

    def load(path, placement):
        if second[:12] in path:
            raise EOFError("KPU load model failed from path.")
        return real(path, placement)

    board.kpu.load = load
    rig.restart(kpu=board.kpu)
    rig.until(lambda: rig.app.models.is_ready)
    assert rig.app.models.active == first == rig.app.models.manifest.digest
    board.kpu.load = real
    host.offer_again(2, second)
    rig.until(lambda: rig.app.models.active == second)  # the same serial: it was this board that lost it


def test_serials_of_another_host_begin_anew(rig, host):
    go_live(rig, host, 9)
    fields = json.loads((rig.root / "config.json").read_text())
    fields["key"] = bytes(32).hex()
    (rig.root / "config.json").write_text(json.dumps(fields))
    rig.restart()
    assert rig.app.models._slots.serial == 0


def test_restart_loads_the_model_of_the_card(rig, host):
    digest = go_live(rig, host, 1)
    rig.restart()
    rig.until(lambda: rig.app.models.is_ready)
    assert rig.app.models.manifest.digest == digest
    rig.until(lambda: rig.state.model is not None)


def test_damaged_model_on_the_card_is_told_and_fetched_again(rig, host):
    digest = go_live(rig, host, 1)
    (rig.root / "models" / digest[:12] / "manifest.json").write_text("{}")
    rig.restart()
    rig.steps(1)
    assert not rig.app.models.is_ready
    assert "is damaged or not from this host" in (rig.root / "log.txt").read_text()
    rig.until(lambda: rig.app.models.active == digest and not rig.app.models.is_trial)


def test_user_goes_back_and_forth_and_the_host_does_not_undo_it(rig, host):
    first = go_live(rig, host, 1)
    second = go_live(rig, host, 2)
    rig.until(lambda: len(rig.state.models) == 2)
    rig.tap("previous")
    rig.until(lambda: rig.app.models.active == first and not rig.app.models.is_trial)
    rig.steps(600)
    assert rig.app.models.active == first
    rig.tap("next")
    rig.until(lambda: rig.app.models.active == second and not rig.app.models.is_trial)
    rig.tap("next")
    rig.steps(2)
    assert "no newer model" in rig.state.message


def test_old_models_are_removed_but_never_the_live_and_the_previous_one(rig, host):
    digests = [go_live(rig, host, serial) for serial in range(1, 8)]
    kept = {path.name for path in (rig.root / "models").iterdir()}
    assert kept == {digest[:12] for digest in digests[-4:]}


def test_confirmed_model_that_fails_later_is_one_line_and_the_app_goes_on(rig, host):
    go_live(rig, host, 1)
    good = rig.board.kpu.live_outputs

    def fails(network):
        raise RuntimeError("KPU run failed.")

    rig.board.kpu.live_outputs = fails
    rig.app._guarded_step()
    assert "KPU run failed" in rig.state.message
    rig.board.kpu.live_outputs = good
    rig.app._guarded_step()
    assert rig.app._failures == 0


def test_model_key_of_another_host_is_refused(rig, host):
    digest = host.publish(1)
    raw = host.model[2]
    from snaploop_shared import manifest

    other = manifest.signature(raw, bytes(32)).hex()
    assert other != manifest.signature(raw, KEY).hex()
    host.answer_with[messages.MODEL] = Response(messages.OK, {"digest": digest, "serial": 1, "signature": other}, raw)
    rig.until(lambda: ("refused", "bad_signature") in states(host))


def test_slots_survive_a_torn_copy(rig, host):
    digest = go_live(rig, host, 1)
    assert sha256_hex(host.blobs[digest]) == digest
    newest = max(("slots.a", "slots.b"), key=lambda name: model_slots.decode((rig.root / name).read_bytes()).sequence)
    data = (rig.root / newest).read_bytes()
    (rig.root / newest).write_bytes(data[: len(data) // 2])
    rig.restart()
    rig.steps(5)
    assert rig.app.models._slots.state == model_slots.IDLE or rig.app.models.active in ("", digest)
