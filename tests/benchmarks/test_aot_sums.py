"""Sums over devices, in each form that XLA writes them in."""

import pytest

from benchmarks.aot import reading, sums, text
from benchmarks.aot.chips import CHIPS

PLAIN = """
ENTRY %main (x: f32[10]) -> f32[10] {
  %ar.1 = (f32[9]{0}, f32[1]{0}) all-reduce-start(%x, %z), to_apply=%sum
  %work.1 = f32[2,2]{1,0} fusion(%x), kind=kLoop
  %work.2 = f32[2,2]{1,0:T(8,128)} fusion(%x), kind=kLoop
  %ar-done.1 = f32[10]{0} all-reduce-done(%ar.1)
  %alone.1 = f32[7]{0:T(128)S(1)} all-reduce(%x), to_apply=%sum
}
"""

WRAPPED = """
%wrapped (param: f32[10]) -> f32[10] {
  %param = f32[10]{0} parameter(0)
  ROOT %all-reduce.1 = f32[10]{0} all-reduce(%param), to_apply=%add
}

%doubled (param.2: f32[10]) -> f32[10] {
  %param.2 = f32[10]{0} parameter(0)
  ROOT %add.2 = f32[10]{0} add(%param.2, %param.2)
}

ENTRY %main (x: f32[10]) -> f32[10] {
  %x = f32[10]{0} parameter(0)
  %start = ((f32[10]{0}), f32[10]{0}) async-start(%x), calls=%wrapped
  %other-start = ((f32[10]{0}), f32[10]{0}) async-start(%x), calls=%doubled
  %conv = f32[2,2]{1,0} convolution(%y, %k), dim_labels=bf_io->bf
  %update = ((f32[10]{0}), f32[10]{0}) async-update(%start)
  %other-done = f32[10]{0} async-done(%other-start)
  %work = f32[2,2]{1,0} fusion(%y), kind=kLoop, calls=%doubled
  %done = f32[10]{0} async-done(%update)
  ROOT %late = f32[10]{0} fusion(%done), kind=kLoop, calls=%doubled
}
"""

FUSED = """
%begin (param.1: f32[10]) -> f32[10] {
  %param.1 = f32[10]{0} parameter(0)
  ROOT %ars = f32[10]{0:T(128)S(1)} all-reduce-start(%param.1), to_apply=%add
}

%go_on (param.2: f32[10], y: f32[4,4]) -> (f32[4,4], f32[10], f32[10]) {
  %y.2 = f32[4,4]{1,0} parameter(1)
  %conv.2 = f32[4,4]{1,0} convolution(%y.2, %y.2), dim_labels=bf_io->bf
}

%end (param.3: f32[10]) -> f32[10] {
  ROOT %ard = f32[10]{0} all-reduce-done(%param.3)
}

ENTRY %main (x: f32[10]) -> f32[10] {
  %x = f32[10]{0} parameter(0)
  %async-collective-start = (f32[10]{0}, u32[]) fusion(%x), calls=%begin
  %gte.1 = f32[10]{0} get-tuple-element(%async-collective-start), index=0
  %async-collective-fusion = (f32[4,4], f32[10]) fusion(%gte.1, %y), calls=%go_on
  %gte.2 = f32[10]{0} get-tuple-element(%async-collective-fusion), index=1
  %unrelated = f32[4,4]{1,0} fusion(%y), kind=kLoop
  %last = f32[10]{0} fusion(%gte.2), kind=kCustom, calls=%end
  ROOT %after = f32[4,4]{1,0} fusion(%last), kind=kLoop
}
"""

WITHIN = """
%inner (a: f32[5]) -> f32[5] {
  ROOT %ar = f32[5]{0} all-reduce(%a), to_apply=%add
}

%together (param.1: f32[5], y: f32[4,4]) -> (f32[4,4], f32[5]) {
  %conv.1 = f32[4,4]{1,0} convolution(%y, %y), dim_labels=bf_io->bf
  %y.2 = f32[4,4]{1,0} parameter(1)
  %conv.2 = f32[4,4]{1,0} convolution(%y, %y), dim_labels=bf_io->bf
  %sum.1 = f32[5]{0} fusion(%param.1), kind=kCustom, calls=%inner
}

ENTRY %main (x: f32[5]) -> f32[5] {
  %both = (f32[4,4]{1,0}, f32[5]{0}) fusion(%x, %y), kind=kCustom, calls=%together
  ROOT %after = f32[4,4]{1,0} fusion(%both), kind=kLoop
}
"""

ALONE = """
%inner (a: (f32[5], bf16[4])) -> (f32[5], bf16[4]) {
  ROOT %ar = (f32[5]{0}, bf16[4]{0}) all-reduce(%a, %b), to_apply=%add
}

ENTRY %main (x: f32[5]) -> f32[5] {
  %sum.1 = (f32[5]{0}, bf16[4]{0}) fusion(%x, %z), kind=kCustom, calls=%inner
  ROOT %after = f32[4,4]{1,0} fusion(%sum.1), kind=kLoop
}
"""

OTHERS = """
%body (a: f32[5]) -> f32[5] {
  %ag = f32[10]{0} all-gather-start(%a), dimensions={0}
  %agd = f32[10]{0} all-gather-done(%ag)
}

ENTRY %main (x: f32[5]) -> f32[5] {
  %w = f32[10]{0} while(%x), condition=%c, body=%body
  %rs = f32[5]{0} reduce-scatter(%w), to_apply=%add
  ROOT %cp = f32[5]{0} collective-permute(%rs), source_target_pairs={{0,1}}
}
"""


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (PLAIN, [(40, 2), (28, 0)]),
        (WRAPPED, [(40, 2)]),
        (FUSED, [(40, 2)]),
        (WITHIN, [(20, 2)]),
        (ALONE, [(28, 0)]),
        (OTHERS, []),
    ],
    ids=["plain", "wrapped", "fused", "within", "alone", "others"],
)
def test_sums_beside_other_work(program, expected):
    assert sums.all_reduces(text.operations(program)) == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (PLAIN, {"all-reduce": 2}),
        (WRAPPED, {"all-reduce": 1}),
        (OTHERS, {"all-gather": 1, "collective-permute": 1, "reduce-scatter": 1}),
        ("ENTRY %main (x: f32[]) -> f32[] {\n  %x = f32[] parameter(0)\n}", {}),
    ],
)
def test_what_devices_exchange(program, expected):
    assert sums.collectives(text.operations(program)) == expected


def test_sums_are_printed_with_what_is_beside_them():
    found = reading.read(FUSED + ALONE.replace("%inner", "%inner.2"), 0, CHIPS["tpu"])
    assert found["all_reduces"]["beside_other_work"] == 1
    assert found["collectives"] == {"all-reduce": 2}
