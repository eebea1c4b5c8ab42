"""When labels of whole photos can teach, and what is said when they cannot."""

import pytest

from snaploop_host.domain.photo_labels import PhotoLabels, label_problem


def photos(*labels):
    return [PhotoLabels(f"p{number}", frozenset(said)) for number, said in enumerate(labels)]


GOOD = photos({"a"}, {"a"}, {"b"}, {"b"}, set())


@pytest.mark.parametrize("task", ["classify", "embed", "multilabel"])
def test_two_photos_of_each_are_enough(task):
    assert label_problem(task, ["a", "b"], GOOD) is None


@pytest.mark.parametrize("task", ["classify", "embed"])
def test_photo_of_two_classes_is_named(task):
    problem = label_problem(task, ["a", "b"], [*GOOD, *photos({"b", "a"})])
    assert problem.startswith("photo p0 is both a and b, but a photo has one class here")
    assert "make a multilabel project" in problem


@pytest.mark.parametrize("task", ["classify", "embed"])
def test_single_class_is_nothing_to_tell_apart(task):
    problem = label_problem(task, ["a"], photos({"a"}, {"a"}))
    assert problem == 'a is the only class, so there is nothing to tell it from: add a second one, or "other"'


@pytest.mark.parametrize(("labels", "shown"), [(GOOD, "no photo"), (GOOD + photos({"c"}), "one photo only")])
def test_class_with_too_few_photos_is_named(labels, shown):
    problem = label_problem("classify", ["a", "b", "c"], labels)
    assert problem == f"class c has {shown}, training needs 2: take some more, or remove the class"


def test_labels_that_never_differ_teach_nothing():
    problem = label_problem("multilabel", ["a"], photos({"a"}, {"a"}))
    assert problem.startswith("all photos have the same labels")
    assert label_problem("multilabel", ["a"], photos({"a"}, {"a"}, set())) is None
