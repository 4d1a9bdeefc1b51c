import numpy as np
import pytest
from PIL import Image

from fcn_jax.viz import plots

TRAIN = [
    {"kind": "train", "step": step, "loss": loss, "mean_loss": loss + 0.1}
    for step, loss in ((100, 2.0), (200, 0.507), (300, 0.527))
]
EVAL = [
    {"kind": "eval", "step": 100, "mean_iu": None},
    {"kind": "eval", "step": 200, "mean_iu": 0.25},
    {"kind": "eval", "step": 300, "mean_iu": 0.4321},
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are written, to look into."""
    kept = []
    save = plots._save_figure
    monkeypatch.setattr(
        plots,
        "_save_figure",
        lambda figure, path: kept.append(figure) or save(figure, path),
    )
    return kept


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_curves_name_the_final_and_the_lowest_loss(tmp_path, figures):
    plots.plot_curves(TRAIN + EVAL, tmp_path / "curves.png")
    loss, mean_iu = figures[0].axes
    assert "lowest 0.507, step 200" in legend_of(loss)
    assert "final 0.527, step 300" in legend_of(loss)
    assert "best 0.4321, step 300" in legend_of(mean_iu)
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert image.width > 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_the_loss_of_validation_stands_beside_that_of_training(tmp_path, figures):
    scored = [{**entry, "loss": 0.1 * entry["step"]} for entry in EVAL]
    scored[1]["loss"] = None
    plots.plot_curves(TRAIN + scored, tmp_path / "curves.png")
    (line,) = (x for x in figures[0].axes[0].lines if x.get_label() == "validation")
    np.testing.assert_allclose(line.get_xydata(), [(100, 10), (300, 30)])
    summed = [{**entry, "loss": 1e5 * entry["loss"]} for entry in TRAIN]
    plots.plot_curves(summed + scored, tmp_path / "curves.png")
    left, _, right = figures[1].axes
    assert "validation, right scale" in legend_of(left)
    assert right.get_ylim()[1] < 40


def test_the_classes_stand_beside_their_mean(tmp_path, figures):
    ious = ({"sky": 0.5, "pole": None}, {"sky": 0.9, "pole": 0.2}, {"sky": 0.8})
    entries = [{**entry, "iu": iu} for entry, iu in zip(EVAL, ious, strict=True)]
    entries[2]["iu"]["car"] = 0.85
    plots.plot_curves(TRAIN + entries, tmp_path / "curves.png")
    axes = figures[0].axes[2]
    assert legend_of(axes) == ["car 0.85", "sky 0.80", "pole 0.20"]  # The best first.
    sky, pole = axes.lines[1:]
    np.testing.assert_allclose(sky.get_xydata(), [(100, 0.5), (200, 0.9), (300, 0.8)])
    np.testing.assert_allclose(pole.get_xydata(), [(200, 0.2)])


def test_of_many_classes_the_best_and_the_worst_are_named(tmp_path, figures):
    entries = [{**EVAL[1], "iu": {f"c{n}": n / 100 for n in range(30)}}]
    plots.plot_curves(entries, tmp_path / "curves.png")
    axes = figures[0].axes[2]
    names = [text.split()[0] for text in legend_of(axes)]
    assert names == [f"c{n}" for n in (*range(29, 19, -1), *range(9, -1, -1))]
    assert len(axes.lines) == 30
    looks = {(x.get_color(), x.get_linestyle()) for x in axes.lines}
    assert len(looks) == 21  # One for each name, and one for all others.


@pytest.mark.parametrize("entries", ([], TRAIN, TRAIN[:1], EVAL, EVAL[:1]))
def test_curves_of_a_run_that_has_only_begun(tmp_path, entries):
    plots.plot_curves(entries, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_resolutions_are_plotted_in_order(tmp_path, figures):
    results = [
        {"resolution": 2.0, "mean_iu": None, "pixel_accuracy": 0.9},
        {"resolution": 0.5, "mean_iu": 0.4, "pixel_accuracy": 0.8},
    ]
    plots.plot_resolutions(results, tmp_path / "resolutions.png")
    (axes,) = figures[0].axes
    assert legend_of(axes) == ["mean IU", "pixel accuracy"]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0.5, 2.0])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0.4, np.nan])
    with pytest.raises(ValueError, match="no results; give at least one resolution"):
        plots.plot_resolutions([], tmp_path / "resolutions.png")


def test_plots_leave_the_global_state_of_matplotlib_alone(tmp_path):
    import matplotlib.pyplot as plt

    plots.plot_curves(TRAIN, tmp_path / "curves.png")
    assert plt.get_fignums() == []
