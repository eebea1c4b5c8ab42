"""Stratified choice: every class gets its turn, in any first part of the choice."""

from snaploop_host.compiling.calibration import choose_stratified


def test_rare_class_is_in_and_first_part_is_balanced():
    classes_of = [{0}] * 90 + [{1}] * 8 + [{2}] * 2
    chosen = choose_stratified(classes_of, 20, seed=1)
    assert len(chosen) == len(set(chosen)) == 20
    first = [min(classes_of[index]) for index in chosen[:6]]
    assert sorted(first) == [0, 0, 1, 1, 2, 2]


def test_same_seed_same_choice_and_other_seed_another():
    classes_of = [{index % 3} for index in range(60)]
    assert choose_stratified(classes_of, 10, seed=4) == choose_stratified(classes_of, 10, seed=4)
    assert choose_stratified(classes_of, 10, seed=4) != choose_stratified(classes_of, 10, seed=5)


def test_fewer_pictures_than_wanted_gives_all_of_them_with_the_empty_ones():
    assert sorted(choose_stratified([{0}, set(), {0, 1}], 24, seed=0)) == [0, 1, 2]
