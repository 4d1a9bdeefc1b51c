"""The parameters of a request."""

import pytest

from fcn_jax.serving import questions
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import BAD, Refusal


def test_nothing_is_asked():
    assert questions.parsed([]) == Question(None, None, False, False, ())


def test_all_is_asked():
    given = [
        ("x", "3"), ("crf", "True"), ("labels", "1"), ("y", "0"), ("picture", "1"),
        ("size", "64"), ("y", "5"), ("x", "4"),
    ]  # fmt: skip
    assert questions.parsed(given) == Question(True, 64, True, True, ((3, 0), (4, 5)))
    assert questions.parsed([("crf", "0")]).crf is False


@pytest.mark.parametrize(
    ("given", "match"),
    (
        ([("labls", "1")], r"parameter 'labls' is not known; did you mean 'labels'\?"),
        ([("crf", "yes")], "crf=yes is not understood; give 0 or 1"),
        ([("crf", "1"), ("crf", "0")], "crf is given twice; give it once"),
        ([("size", "1"), ("size", "1")], "size is given twice"),
        ([("x", "-1"), ("y", "0")], "x=-1 is not understood; give a whole number, 0"),
        ([("x", "1.5"), ("y", "0")], "x=1.5 is not understood"),
        ([("x", "²"), ("y", "0")], "x=² is not understood"),
        ([("x", "9" * 60), ("y", "0")], "^x=9{40} is not understood"),
        ([("x", "1")], "there are 1 of x and 0 of y; give both of each pixel"),
        ([("x", "1"), ("y", "1")] * 101, "101 of x and 101 of y; .* of at most 100"),
    ),
)
def test_what_has_no_sense(given, match):
    with pytest.raises(Refusal, match=match) as refusal:
        questions.parsed(given)
    assert refusal.value.status == BAD
