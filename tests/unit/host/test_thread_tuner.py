"""The tuner on made-up machines: quiet, busy, and one whose load changes."""

from snaploop_host.training.thread_tuner import ThreadTuner


def train(tuner, steps, seconds_with):
    spent = 0.0
    for _ in range(steps):
        spent += seconds_with[tuner.current]
        tuner.step_done(seconds_with[tuner.current], 8)
    return spent


def test_quiet_machine_keeps_all_cores_and_probing_is_cheap():
    switched = []
    tuner = ThreadTuner(2, switched.append)
    spent = train(tuner, 450, {2: 0.15, 1: 0.30})
    assert tuner.preferred == 2
    assert switched[:2] == [1, 2]
    assert spent < 1.15 * 450 * 0.15
    assert tuner.steps_with[2] > 0.85 * 450


def test_busy_machine_ends_up_with_one_thread():
    tuner = ThreadTuner(2, lambda _: None)
    train(tuner, 40, {2: 3.0, 1: 0.30})
    assert tuner.preferred == 1
    spent = train(tuner, 400, {2: 3.0, 1: 0.30})
    assert spent < 400 * 0.30 + 5 * 3.0  # probes of what was ten times slower become rare


def test_busy_from_the_start_costs_one_step():
    tuner = ThreadTuner(2, lambda _: None)
    assert train(tuner, 20, {2: 3.0, 1: 0.30}) <= 1 * 3.0 + 19 * 0.30 + 1e-9


def test_change_of_load_is_noticed_at_once_both_ways():
    tuner = ThreadTuner(2, lambda _: None)
    train(tuner, 60, {2: 0.15, 1: 0.30})
    train(tuner, 12, {2: 3.0, 1: 0.30})
    assert tuner.preferred == 1
    train(tuner, 80, {2: 0.15, 1: 0.30})
    assert tuner.preferred == 2


def test_fixed_number_is_never_changed():
    switched = []
    tuner = ThreadTuner(8, switched.append, fixed=3)
    train(tuner, 100, {3: 1.0})
    assert switched == [3]


def test_many_cores_offer_half_of_them_too():
    assert ThreadTuner(16, lambda _: None).choices == [1, 8, 16]
    assert ThreadTuner(1, lambda _: None).choices == [1]
