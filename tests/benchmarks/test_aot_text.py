"""What is read off compiled text, on lines as XLA writes them (jaxlib 0.10.2)."""

import pytest

from benchmarks.aot import text

PROGRAM = """
HloModule jit_step, is_scheduled=true

%fused_pad (param_0.1: u8[8,4,4,3]) -> bf16[8,6,6,3] {
  %param_0.1 = u8[8,4,4,3]{3,2,1,0} parameter(0)
  ROOT %pad.1 = bf16[8,6,6,3]{3,2,1,0} pad(%param_0.1), padding=0_0x1_1x1_1x0_0
}

ENTRY %main.1 (batch.1: u8[8,4,4,3], kernel.1: f32[3,3,3,64]) -> f32[3,3,3,64] {
  %batch.1 = u8[8,4,4,3]{3,2,1,0} parameter(0), metadata={op_name="batch[\\'image\\']"}
  %kernel.1 = f32[3,3,3,64]{3,2,1,0} parameter(1)
  %loop_pad = bf16[8,6,6,3]{3,2,1,0} fusion(%batch.1), kind=kLoop, calls=%fused_pad
  %transpose_fusion.2 = bf16[64,3,3,3]{3,2,1,0} fusion(%kernel.1), kind=kInput
  %cudnn-conv.5 = (bf16[8,4,4,64]{3,2,1,0}, u8[0]{0}) custom-call(%loop_pad, \
%transpose_fusion.2), window={size=3x3}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convForward", metadata={op_name="jit(f)/jvp(FCN8s)/\
encoder/conv1_1/cond/conv_general_dilated"}
  %get-tuple-element.1 = bf16[8,4,4,64]{3,2,1,0} get-tuple-element(%cudnn-conv.5)
  %conv-bw.1 = (bf16[64,3,3,3]{3,2,1,0}, u8[9]{0}) custom-call(%loop_pad, \
%get-tuple-element.1), window={size=3x3}, custom_call_target=\
"__cudnn$convBackwardFilter", metadata={op_name="jit(f)/transpose(jvp(FCN8s))/\
encoder/conv1_1/conv_general_dilated"}
  ROOT %copy.3 = f32[1,3,3,64,64]{4,3,2,1,0} copy(%kernel.1)
}
"""


@pytest.fixture
def found():
    return text.operations(PROGRAM)


def test_instructions_and_where_they_stand(found):
    assert [each.computation for each in found[:2]] == ["fused_pad"] * 2
    assert {each.computation for each in found[2:]} == {"ENTRY"}
    by_name = {each.name: each for each in found}
    assert by_name["copy.3"].opcode == "copy"
    assert by_name["loop_pad"].bytes == 8 * 6 * 6 * 3 * 2
    assert by_name["get-tuple-element.1"].bytes == by_name["batch.1"].bytes == 0
    assert by_name["cudnn-conv.5"].layer == "conv1_1"
    assert by_name["conv-bw.1"].layer == "conv1_1, backward"


def test_convolutions_with_their_flops(found):
    forward, backward = text.convolutions(found)
    assert (forward.kind, forward.window) == ("convForward", (3, 3))
    assert forward.output == ("bf16", (8, 4, 4, 64), "3,2,1,0")
    assert backward.kind == "convBackwardFilter"
    assert forward.flops == backward.flops == 2 * (8 * 4 * 4 * 64) * (3 * 3 * 3)


def test_a_convolution_of_xla_itself():
    line = (
        "  %c.1 = f32[1,8,8,4]{3,2,1,0:T(8,128)} convolution(%x, %k), "
        "window={size=5x5 pad=2_2x2_2}, dim_labels=b01f_01io->b01f"
    )
    (found,) = text.convolutions(
        text.operations(f"%body (x: f32[]) -> f32[] {{\n{line}")
    )
    assert (found.window, found.kind, found.flops) == ((5, 5), "convolution", 0)


def test_the_largest_writes_come_first(found):
    names = [each.name for each in text.largest_writes(found, 2)]
    assert names == ["copy.3", "cudnn-conv.5"]


def test_kernels_that_are_copied(found):
    assert text.kernel_transpositions(found) == []  # A small one.
    (copy,) = text.kernel_transpositions(found, least=1000)
    assert copy.name == "copy.3"


def test_what_a_tpu_keeps_on_the_chip_is_not_written():
    line = (
        "%f = (f32[8,128]{1,0:T(8,128)S(1)}, f32[4,128]{1,0:T(8,128)}, "
        "s32[2]{0:T(128)S(2)}) fusion(%x), kind=kLoop"
    )
    (found,) = text.operations(f"ENTRY %m (x: f32[]) -> f32[] {{\n  {line}")
    assert found.written == (("f32", (4, 128), "1,0:T(8,128)"),)
    assert (found.bytes, len(found.arrays)) == (4 * 128 * 4, 3)


def test_cycles_that_the_compiler_expects():
    config = 'backend_config={"window_config":{"estimated_cycles":"%d"}}'
    found = text.operations(
        f"%inner (x: f32[]) -> f32[] {{\n%i = f32[] add(%x, %x), {config % 7}\n}}\n"
        f"ENTRY %m (x: f32[]) -> f32[] {{\n%a = f32[] fusion(%x), {config % 1320}\n"
        f"%b = f32[] fusion(%a), {config % 80}\n%c = f32[] copy(%b)\n}}"
    )
    assert text.estimated_cycles(found) == 1400


def test_what_begins_and_ends_apart_is_written_once():
    lines = (
        "%s = (f32[8]{0}, f32[8]{0}, u32[]{:S(2)}) copy-start(%x)",
        "%d = f32[8]{0} copy-done(%s)",
        "%e = f32[8]{0:T(128)S(1)} copy-done(%s)",
    )
    found = text.operations("ENTRY %m (x: f32[8]) -> f32[8] {\n" + "\n".join(lines))
    assert [each.bytes for each in found] == [0, 32, 0]


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((8, 500, 500, 3), "3,2,1,0:T(8,128)(2,1)", 8 * 500 * 504 * 128 * 2),
        ((8, 500, 500, 3), "0,3,2,1:T(8,128)(2,1)", 128 * 500 * 500 * 8 * 2),
        ((7,), "0:T(1024)", 1024 * 2),
        ((7, 3), "1,0", 7 * 3 * 2),
        ((), "", 2),
    ],
)
def test_what_tiles_add(shape, layout, expected):
    assert text.Array("bf16", shape, layout).padded_bytes == expected
