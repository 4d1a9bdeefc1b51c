"""What products cost a matrix unit, by hand."""

import pytest

from benchmarks.aot import chips, reading, text, units


def program(line, lhs, rhs):
    return f"""
%fused (a: {lhs}, b: {rhs}) -> f32[] {{
  %a = {lhs}{{3,2,1,0:T(8,128)(2,1)}} parameter(0)
  %b = {rhs}{{3,2,1,0:T(8,128)(2,1)}} parameter(1)
  ROOT {line}, metadata={{op_name="jit(f)/encoder/conv1_1/conv_general_dilated"}}
}}
"""


def product(line, lhs, rhs):
    (found,) = units.products(text.operations(program(line, lhs, rhs)), 128)
    return found


def test_three_channels_to_64_without_a_border():
    """2 * (2 * 4 * 4) outputs * 64 * (3 * 9) of 32 rows, 3 channels and 64 columns."""
    found = product(
        "%c = bf16[2,4,4,64]{3,0,2,1} convolution(%a, %b), window={size=3x3}, "
        "dim_labels=b01f_01io->b01f",
        "bf16[2,6,6,3]",
        "bf16[3,3,3,64]",
    )
    assert found == ("conv1_1", 2 * 4 * 4, 3, 64, 2 * 32 * 64 * 27)
    assert found.padded_flops(128) == pytest.approx(2 * 128 * 128 * 128 * 9)


def test_sides_that_are_multiples_cost_their_flops():
    found = product(
        "%c = bf16[128,1,1,256]{3,0,2,1} convolution(%a, %b), window={size=1x1}, "
        "dim_labels=b01f_01io->b01f",
        "bf16[128,1,1,384]",
        "bf16[1,1,384,256]",
    )
    assert found.flops == found.padded_flops(128) == 2 * 128 * 384 * 256


def test_zeros_around_a_map_are_no_flops():
    """Of 3 x 3 outputs by 3 x 3 taps, 7 of 9 pairs in each direction are of values."""
    found = product(
        "%c = bf16[1,3,3,1]{3,0,2,1} convolution(%a, %b), "
        "window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f",
        "bf16[1,3,3,1]",
        "bf16[3,3,1,1]",
    )
    assert found.flops == 2 * 7 * 7


def test_strides_dilation_and_pads_of_two_sizes():
    """Rows: 4 values, every other output of 2 taps from -1 on: -1, 0 | 1, 2 | 3, 4.

    Columns: 3 values 2 apart, of 0 to 4; taps 0 and 3 after each of two outputs: 0, 3
    and 1, 4.
    """
    found = product(
        "%c = bf16[1,3,2,1]{3,0,2,1} convolution(%a, %b), window={size=2x2 stride=2x1 "
        "pad=1_1x0_0 lhs_dilate=1x2 rhs_dilate=1x3}, dim_labels=b01f_01io->b01f",
        "bf16[1,4,3,1]",
        "bf16[2,2,1,1]",
    )
    assert found.flops == 2 * (1 + 2 + 1) * (1 + 1)


def test_the_gradient_of_a_kernel_sums_over_the_map():
    """3 x 3 outputs of 3 by 64 channels, over 2 images of 4 x 4."""
    found = product(
        "%c = bf16[3,3,3,64]{3,2,1,0} convolution(%a, %b), window={size=4x4}, "
        "dim_labels=f01b_i01o->01bf",
        "bf16[2,6,6,3]",
        "bf16[2,4,4,64]",
    )
    assert found == ("conv1_1", 3, 2 * 4 * 4, 64, 2 * 9 * 3 * 64 * 32)
    assert found.padded_flops(128) == pytest.approx(2 * 9 * 128 * 128 * 128)


def test_a_window_that_is_larger_than_its_output_costs_what_is_less():
    """fc6 of one small image: 49 products of 9 rows, not 9 of one row."""
    found = product(
        "%c = bf16[1,3,3,256]{3,0,2,1} convolution(%a, %b), window={size=7x7}, "
        "dim_labels=b01f_01io->b01f",
        "bf16[1,9,9,512]",
        "bf16[7,7,512,256]",
    )
    assert (found.rows, found.contracted, found.columns) == (9, 512, 256)
    assert found.padded_flops(128) == pytest.approx(49 * 2 * 128 * 512 * 256)


def test_many_images_of_few_channels_take_the_window_together():
    """A product of 27 values for each of 4 x 4 outputs, not 9 of 3 values."""
    found = product(
        "%c = bf16[128,4,4,64]{3,0,2,1} convolution(%a, %b), window={size=3x3}, "
        "dim_labels=b01f_01io->b01f",
        "bf16[128,6,6,3]",
        "bf16[3,3,3,64]",
    )
    assert (found.rows, found.contracted, found.columns) == (128, 27, 64)
    assert found.padded_flops(128) == pytest.approx(16 * 2 * 128**3)


def test_groups_are_products_of_their_own():
    found = product(
        "%c = bf16[128,1,1,21]{3,0,2,1} convolution(%a, %b), window={size=1x1}, "
        "dim_labels=b01f_01io->b01f, feature_group_count=21",
        "bf16[128,1,1,21]",
        "bf16[1,1,1,21]",
    )
    assert found == ("conv1_1", 128, 1, 1, 2 * 128 * 21)
    assert found.padded_flops(128) == pytest.approx(21 * 2 * 128 * 128 * 128)


def test_a_product_of_matrices():
    found = product(
        "%d = bf16[5,8,21]{2,1,0} dot(%a, %b), lhs_batch_dims={0}, "
        "lhs_contracting_dims={2}, rhs_batch_dims={0}, rhs_contracting_dims={1}",
        "bf16[5,8,64]",
        "bf16[5,64,21]",
    )
    assert found == ("conv1_1", 8, 64, 21, 2 * 5 * 8 * 64 * 21)
    assert found.padded_flops(128) == pytest.approx(5 * 2 * 128**3)


def test_a_product_without_spatial_dimensions():
    found = product(
        "%c = f32[8,21]{1,0} convolution(%a, %b), dim_labels=bf_io->bf",
        "f32[8,64]",
        "f32[64,21]",
    )
    assert found == ("conv1_1", 8, 64, 21, 2 * 8 * 64 * 21)


def test_a_convolution_that_does_not_say_which_dimension_is_which():
    with pytest.raises(
        ValueError, match=r"c: a conv.* without dim_labels.* came: \(%a"
    ):
        product("%c = f32[8]{0} convolution(%a, %b)", "f32[8,1]", "f32[1,1]")


def test_layers_that_lose_most_come_first():
    listed = [
        units.Product("fc6", 128, 128, 128, 100),
        units.Product("score_fr", 128, 128, 32, 10),
        units.Product("conv1_1", 128, 64, 32, 10),
        units.Product("score_fr", 128, 128, 64, 50),
    ]
    assert units.by_layer(listed, 128) == [
        ("score_fr", 60, 140),
        ("conv1_1", 10, 80),
        ("fc6", 100, 100),
    ]


def test_the_floor_of_the_unit_is_printed_for_a_tpu_alone():
    line = (
        "%c = f32[128,64]{1,0} convolution(%a, %b), dim_labels=bf_io->bf, "
        'metadata={op_name="fc7"}'
    )
    given = program(line, "f32[128,3200]", "f32[3200,64]")
    flops = 2 * 128 * 3200 * 64
    chip = chips.Chip("tpu", 1e9, 1, 1, unit=128)
    assert reading.read(given, 1.0, chip)["matrix_unit"] == {
        "products_tflop": 0,
        "padded_tflop": 0,
        "least_ms": round(2 * flops / 1e6, 2),
        "worst_layers_gflop": [
            ["fc7", round(flops / 1e9, 2), round(2 * flops / 1e9, 2)]
        ],
    }
    assert chips.CHIPS["tpu"].unit == 128
    assert "matrix_unit" not in reading.read(given, 1.0, chips.CHIPS["cuda"])
