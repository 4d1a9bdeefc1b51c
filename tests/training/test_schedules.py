import jax
import jax.numpy as jnp
import pytest

from fcn_jax.training import schedules


@pytest.fixture(autouse=True)
def _promotion_as_in_optax():
    # Schedules of optax mix integers and floats.
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("constant", {}, {0: 2.0, 100: 2.0}),
        ("step", {"boundaries": (10, 50), "factor": 0.1}, {9: 2.0, 10: 0.2, 60: 0.02}),
        ("step", {"boundaries": 10}, {9: 2.0, 10: 0.2}),
        ("polynomial", {"power": 1.0}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("cosine", {}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("warmup_cosine", {"warmup_steps": 10}, {0: 0.0, 5: 1.0, 10: 2.0, 100: 0.0}),
        ("warmup_cosine", {"warmup_steps": 0, "end": 1.0}, {0: 2.0, 50: 1.5, 100: 1.0}),
        ("one_cycle", {}, {0: 0.08, 30: 2.0, 65: 1.0, 100: 0.0}),
        (
            "one_cycle",
            {"warmup_fraction": 0.5, "start_divisor": 10.0},
            {0: 0.2, 25: 1.1, 50: 2.0},
        ),
        ("cosine", {"end_fraction": 0.5}, {0: 2.0, 50: 1.5, 100: 1.0, 150: 1.0}),
        ("polynomial", {"power": 2.0, "end": 1.0}, {0: 2.0, 50: 1.25, 120: 1.0}),
    ],
)
def test_schedules(name, options, expected):
    schedule = schedules.make_schedule(
        name, learning_rate=2.0, num_steps=100, **options
    )
    for count, rate in expected.items():
        # optax works in float32, and its one_cycle ends at 4e-6 of the largest rate.
        assert float(schedule(jnp.int32(count))) == pytest.approx(rate, abs=1e-5)


@pytest.mark.parametrize("name", sorted(schedules.SCHEDULES))
@pytest.mark.parametrize("num_steps", (1, 2, 3))
def test_short_runs_have_finite_rates(name, num_steps):
    options = {"step": {"boundaries": (1,)}, "warmup_cosine": {"warmup_steps": 0}}
    schedule = schedules.make_schedule(
        name, learning_rate=2.0, num_steps=num_steps, **options.get(name, {})
    )
    rates = [float(schedule(jnp.int32(count))) for count in range(num_steps + 2)]
    assert all(0 <= rate <= 2 for rate in rates)
    assert rates[0] > 0


def test_schedule_errors():
    def make(name="constant", learning_rate=1.0, num_steps=10, **options):
        schedules.make_schedule(
            name, learning_rate=learning_rate, num_steps=num_steps, **options
        )

    with pytest.raises(ValueError, match="schedule 'cosin' is not known; did you mean"):
        make("cosin")
    with pytest.raises(
        ValueError,
        match="option of schedule 'step' 'factr' is not known; did you mean 'factor'",
    ):
        make("step", factr=1)
    with pytest.raises(ValueError, match="'constant' 'power' is not .* There are: non"):
        make("constant", power=1)
    with pytest.raises(
        ValueError, match="'step' needs 'boundaries'; its options are boundaries, fact"
    ):
        make("step")
    for options, match in (
        ({"num_steps": 0}, "num_steps=0 is not positive"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0 is not a finite number from 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan is not a finite number"),
        ({"name": "step", "boundaries": (5, 5)}, r"boundaries=\[5, 5\] are not incr"),
        ({"name": "step", "boundaries": (0, 5)}, r"boundaries=\[0, 5\] are not incr"),
        ({"name": "polynomial", "power": 0}, "power=0 is not positive"),
        ({"name": "cosine", "end_fraction": 2}, r"end_fraction=2 is not in \[0, 1\]"),
        ({"name": "warmup_cosine"}, "warmup_steps=500 are not fewer than the 10 of"),
        ({"name": "one_cycle", "warmup_fraction": -1}, "warmup_fraction=-1 is not in"),
        ({"name": "one_cycle", "warmup_fraction": 1}, r"fraction=1 is not in \[0, 1\)"),
        ({"name": "polynomial", "power": "half"}, "power='half' is no number"),
        (
            {"name": "step", "boundaries": (5, "x")},
            r"boundaries=\(5, 'x'\) is no number",
        ),
        ({"name": "one_cycle", "start_divisor": 0}, "start_divisor=0 is not positive"),
    ):
        with pytest.raises(ValueError, match=f"make_schedule: .*{match}"):
            make(**options)
