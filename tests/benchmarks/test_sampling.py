"""What is read off the curves of loss sampling."""

from benchmarks import sampling


def curve(*losses, seconds=1.0):
    return [
        {
            "update": 10 * n,
            "images": 40 * n,
            "seconds": seconds * n,
            "loss": loss,
            "mean_iu": 0.1 * n,
        }
        for n, loss in enumerate(losses, start=1)
    ]


def test_curves_are_averaged_over_the_seeds_and_read_where_all_have_been():
    rows = [
        {"share": share, "seed": seed, "curve": curve(*losses, seconds=1 / share)}
        for share, seed, losses in (
            (1.0, 0, (3.0, 1.0)),
            (1.0, 1, (3.0, 2.0)),
            (0.5, 0, (1.5, 1.0)),
            (0.5, 1, (1.5, 1.0)),
            (0.25, 0, (3.0, 1.5)),
            (0.25, 1, (3.0, 1.5)),
        )
    ]
    curves = sampling.mean_curves(rows)
    assert [point["loss"] for point in curves[1.0]] == [3.0, 1.5]
    goal, found = sampling.summary(curves)
    assert goal == 1.5
    to = {
        share: (x["updates_to_goal"], x["seconds_to_goal"])
        for share, x in found.items()
    }
    assert to == {"1.0": (20, 2.0), "0.5": (10, 2.0), "0.25": (20, 8.0)}
    assert "| 0.5 | 8 | 1.000 | 0.200 | 10 | 2 |" in sampling.table(goal, found)
