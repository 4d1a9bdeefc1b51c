from fcn_jax.data import batch as batches
from fcn_jax.models import inputs


def test_an_empty_batch_by_hand():
    found = batches.empty(2, (4, 6), 1, (1.0, 0.5))
    inputs.assert_batch(found["image"], sizes=found["sizes"])
    assert found["image"].shape == (2, 4, 6, 1)
    assert found["image@0.5"].shape == (2, 2, 3, 1)
    assert not found["example_valid"].any()
    assert set(batches.for_devices(found)) == {
        "image", "sizes", "image@0.5", "sizes@0.5"
    }  # fmt: skip


def test_a_scaled_image_has_a_pixel_at_least():
    found = batches.empty(1, (2, 9), 3, (0.25,))
    assert found[batches.scaled_key("image", 0.25)].shape == (1, 1, 2, 3)
