"""BoxSup's objective: by hand, against a slow one, and what holds of every draw."""

import numpy as np
import pytest

from fcn_jax.data.weak import assignment
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.proposals import candidates

SIZE = (20, 24)


def rectangle(row0, col0, row1, col1):
    mask = np.zeros(SIZE, bool)
    mask[row0:row1, col0:col1] = True
    return mask


def pool_of(*masks):
    return candidates.from_masks(np.stack(masks))


def scene(seed=0, num=30, classes=4):
    """Random candidates, boxes with classes, and log-probabilities."""
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(num):
        row, col = rng.integers(0, 14), rng.integers(0, 18)
        mask = rectangle(row, col, row + 6, col + 6) & (rng.random(SIZE) < 0.6)
        masks.append(mask | rectangle(row, col, row + 1, col + 1))
    boxes = np.array([[1, 0, 0, 9, 12], [3, 8, 10, 18, 20], [1, 4, 4, 9, 9]], np.int32)
    scores = rng.normal(size=(*SIZE, classes)) * 2
    log_probs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return pool_of(*masks), boxes, log_probs


def slow_loss(mask, label, log_probs):
    """The softmax loss of a label map, pixel by pixel."""
    labels = np.where(mask, label, 0)
    return sum(
        -log_probs[row, column, labels[row, column]]
        for row in range(SIZE[0])
        for column in range(SIZE[1])
    )


def test_overlap_is_of_the_box_and_the_tight_box_of_a_candidate():
    """A box of 10x10: itself (with holes), half of it, and what lies elsewhere."""
    box = np.array([[1, 0, 0, 10, 10]])
    holed = rectangle(0, 0, 10, 10) & ~rectangle(2, 2, 9, 9)
    pool = pool_of(holed, rectangle(0, 0, 10, 5), rectangle(12, 12, 20, 24))
    assert (1 - assignment.overlaps(pool, box)).tolist() == [[0, 0.5, 1]]
    costs = assignment.costs(pool, box, None, Rule())
    assert costs.tolist() == [[0, 0.5, np.inf]]
    by_number = assignment.costs(pool, box, None, Rule(objective="sum"))
    np.testing.assert_allclose(by_number, [[0, 0.5 / 3, np.inf]])


def four_pixels():
    """Two candidates, {0, 1} and all; the net sees an object in the first two."""
    log_probs = -np.array([[[2.3, 0.1], [2.3, 0.1], [0.1, 2.3], [0.1, 2.3]]])
    masks = np.array([[[1, 1, 0, 0]], [[1, 1, 1, 1]]], bool)
    return candidates.from_masks(masks), log_probs


def test_the_loss_of_the_label_map_that_a_candidate_implies():
    pool, log_probs = four_pixels()
    found = assignment.map_losses(pool, log_probs, np.array([1]))
    np.testing.assert_allclose(found, [[0.4, 4.8]], rtol=1e-12)
    # At an overlap that is equal for both, the first is the cheaper one.
    boxes = np.array([[1, 0, 0, 1, 3]])  # Two of 3, and 3 of 4 pixels.
    costs = assignment.costs(pool, boxes, log_probs, Rule())
    wanted = [[1 - 2 / 3 + 3 * 0.4 / 4, 1 - 3 / 4 + 3 * 4.8 / 4]]
    np.testing.assert_allclose(costs, wanted, rtol=1e-12)
    as_printed = assignment.costs(pool, boxes, log_probs, Rule(objective="sum"))
    wanted = [[(1 - 2 / 3) / 2 + 3 * 0.4, (1 - 3 / 4) / 2 + 3 * 4.8]]
    np.testing.assert_allclose(as_printed, wanted, rtol=1e-12)


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
def test_losses_by_regions_are_those_by_pixels(dtype):
    pool, boxes, log_probs = scene()
    log_probs = log_probs.astype(dtype)
    found = assignment.map_losses(pool, log_probs, boxes[:, 0])
    wanted = [
        [slow_loss(pool.mask(k), label, log_probs) for k in range(len(pool))]
        for label in boxes[:, 0]
    ]
    # Sums of 480 terms in another order; of float32 those of the slow one are rounded.
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(found, wanted, rtol=tolerance)


def test_one_and_no_net_take_the_best_overlap():
    pool, boxes, log_probs = scene()
    rng = np.random.default_rng(0)
    rule = Rule(k=1, weight=0)
    picks = assignment.draw(assignment.costs(pool, boxes, log_probs, rule), 1, rng)
    assert picks.tolist() == assignment.overlaps(pool, boxes).argmax(axis=1).tolist()


def test_a_draw_is_among_the_k_cheapest_of_a_stable_order():
    costs = np.array([[3.0, 1, 1, 2, 1, np.inf], [np.inf, 5, np.inf, 4, 4, np.inf]])
    rng = np.random.default_rng(0)
    drawn = np.array([assignment.draw(costs, 3, rng) for _ in range(300)])
    assert [sorted(set(column)) for column in drawn.T] == [[1, 2, 4], [1, 3, 4]]
    counts = np.bincount(drawn[:, 0])[[1, 2, 4]]
    assert counts.min() > 70  # 100 each, with a deviation of 8.
    of_five = {tuple(assignment.draw(costs, 5, rng)) for _ in range(300)}
    assert {second for _, second in of_five} == {1, 3, 4}  # None that is not for it.
    assert {first for first, _ in of_five} == {0, 1, 2, 3, 4}
    assert assignment.draw(costs, 1, rng).tolist() == [1, 3]


@pytest.mark.parametrize("seed", range(3))
def test_a_candidate_each_and_only_classes_of_the_image(seed):
    pool, boxes, log_probs = scene(seed)
    pool, _ = assignment.completed(pool, boxes)
    rule = Rule()
    costs = assignment.costs(pool, boxes, log_probs, rule)
    picks = assignment.draw(costs, rule.k, np.random.default_rng(seed))
    assert picks.shape == (3,)
    for row, pick in zip(costs, picks, strict=True):
        assert pick in np.argsort(row, kind="stable")[: rule.k]
    labels = assignment.painted(pool, boxes, picks)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 3}
    wanted = np.zeros(SIZE, np.uint8)
    for (label, *_), pick in zip(boxes, picks, strict=True):
        wanted[pool.mask(pick)] = label
    np.testing.assert_array_equal(labels, wanted)


def test_a_box_that_no_candidate_overlaps_has_its_rectangle():
    boxes = np.array([[1, 0, 0, 6, 6], [2, 15, 15, 20, 20]])
    pool = pool_of(rectangle(0, 0, 5, 6), rectangle(0, 7, 3, 9))
    found, alone = assignment.completed(pool, boxes)
    assert alone.tolist() == [False, True]
    assert len(found) == 3
    np.testing.assert_array_equal(found.mask(2), rectangle(15, 15, 20, 20))
    costs = assignment.costs(found, boxes, None, Rule())
    assert costs[1].tolist() == [np.inf, np.inf, 0]
    # What overlaps too little does not, where that is asked for.
    assert assignment.completed(pool, boxes, min_iou=0.9)[1].tolist() == [True, True]


def test_a_small_box_lies_on_top():
    boxes = np.array([[1, 0, 0, 10, 10], [2, 2, 2, 5, 5]])
    pool = pool_of(rectangle(0, 0, 10, 10), rectangle(2, 2, 5, 5))
    labels = assignment.painted(pool, boxes, np.array([0, 1]))
    assert np.bincount(labels.ravel()).tolist() == [20 * 24 - 100, 91, 9]


def test_two_boxes_may_have_one_candidate():
    boxes = np.array([[1, 0, 0, 10, 10], [2, 0, 0, 10, 9]])
    pool = pool_of(rectangle(0, 0, 10, 10))
    labels = assignment.painted(pool, boxes, np.array([0, 0]))
    assert np.unique(labels).tolist() == [0, 2]


def test_no_boxes_cost_nothing():
    pool, boxes, log_probs = scene()
    none = assignment.costs(pool, boxes[:0], log_probs, Rule())
    assert none.shape == (0, len(pool))
    assert len(assignment.draw(none, 5, np.random.default_rng(0))) == 0
    assert not assignment.painted(pool, boxes[:0], np.zeros(0, int)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k=0: one of the k cheapest candidates is drawn; give 1 or more"),
        ({"weight": -1.0}, "weight=-1.0 of the label map's loss; .* from 0"),
        ({"weight": float("nan")}, "weight=nan"),
        ({"objective": "max"}, "objective='max' is not known; use one of mean, sum"),
        ({"min_iou": 1.0}, r"min_iou=1.0 is not in \[0, 1\)"),
    ],
)
def test_rules_without_sense_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Rule(**arguments)


def test_log_probabilities_of_another_image_or_a_broken_net():
    pool, boxes, log_probs = scene()
    with pytest.raises(ValueError, match=r"of \(19, 24\) and candidates of \(20, 24\)"):
        assignment.map_losses(pool, log_probs[1:], boxes[:, 0])
    log_probs[3, 3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite: the net has diverged; lower"):
        assignment.map_losses(pool, log_probs, boxes[:, 0])


@pytest.mark.parametrize("picks", ([0], [0, 1, 99], [0, 1, -1]))
def test_picks_that_do_not_fit_are_named(picks):
    pool, boxes, _ = scene()
    with pytest.raises(ValueError, match=r"3 boxes have the candidates \[0.* among o"):
        assignment.painted(pool, boxes, np.array(picks))
