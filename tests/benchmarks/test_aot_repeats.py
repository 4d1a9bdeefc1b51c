"""What a compiled step has twice, and the branches it has left."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.aot import reading, repeats, text
from benchmarks.aot.chips import CHIPS

PROGRAM = """
%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0), metadata={op_name="sum (a, \\" of bn1_1}"}
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b), metadata={op_name="jit(f)/bn1_1/{reduce}"}
}

%also_add (c: f32[], d: f32[]) -> f32[] {
  %c = f32[] parameter(0)
  %d = f32[] parameter(1)
  ROOT %sum.2 = f32[] add(%c, %d)
}

%largest (e: f32[], f: f32[]) -> f32[] {
  %e = f32[] parameter(0)
  %f = f32[] parameter(1)
  ROOT %max = f32[] maximum(%e, %f)
}

%one (p: f32[4,8]) -> f32[8] {
  %p = f32[4,8]{1,0} parameter(0), metadata={scheduling_name="p"}
  %zero = f32[] constant(0)
  ROOT %r = f32[8]{0} reduce(%p, %zero), dimensions={0}, to_apply=%add
}

%other (q: f32[4,8]) -> f32[8] {
  %q = f32[4,8]{1,0} parameter(0)
  %zero.2 = f32[] constant(0)
  ROOT %r.2 = f32[8]{0} reduce(%q, /*index=1*/%zero.2), dimensions={0}, \
to_apply=%also_add, metadata={op_name="jit(f)/bn2_1/reduce_sum"}
}

%maximum (q.3: f32[4,8]) -> f32[8] {
  %q.3 = f32[4,8]{1,0} parameter(0)
  %zero.3 = f32[] constant(0)
  ROOT %r.3 = f32[8]{0} reduce(%q.3, %zero.3), dimensions={0}, to_apply=%largest
}

%wider (q.4: f32[4,9]) -> f32[9] {
  %q.4 = f32[4,9]{1,0} parameter(0)
  %zero.4 = f32[] constant(0)
  ROOT %r.4 = f32[9]{0} reduce(%q.4, %zero.4), dimensions={0}, to_apply=%add
}

%ones (q.5: f32[4,8]) -> f32[8] {
  %q.5 = f32[4,8]{1,0} parameter(0)
  %zero.5 = f32[] constant(1)
  ROOT %r.5 = f32[8]{0} reduce(%q.5, %zero.5), dimensions={0}, to_apply=%add
}

ENTRY %main (x: f32[4,8], y: f32[4,9], i: s32[]) -> f32[8] {
  %x = f32[4,8]{1,0} parameter(0)
  %f.1 = f32[8]{0} fusion(%x), kind=kInput, calls=%one, metadata={op_name="bn1_1"}
  %f.2 = f32[8]{0} fusion(%z), kind=kInput, calls=%other, metadata={op_name="bn2_1"}
  %f.3 = f32[8]{0} fusion(%x), kind=kInput, calls=%maximum
  %f.4 = f32[9]{0} fusion(%y), kind=kInput, calls=%wider
  %f.5 = f32[8]{0} fusion(%x), kind=kInput, calls=%ones
  %f.6 = f32[8]{0} fusion(%x), kind=kLoop, calls=%one
  ROOT %c = f32[8]{0} conditional(%i, %x, %x), branch_computations={%one, %other}
}
"""


@pytest.fixture
def found():
    return text.operations(PROGRAM)


def test_fusions_of_one_body(found):
    bodies = repeats.bodies(found)
    names = [[each.name for each in body.fusions] for body in bodies]
    assert names == [["f.1", "f.2"], ["f.3"], ["f.4"], ["f.5"], ["f.6"]]


def test_what_is_decided_while_it_runs(found):
    assert [each.name for each in repeats.branches(found)] == ["c"]


def test_both_are_printed():
    read = reading.read(PROGRAM, 0, CHIPS["cuda"])
    assert read["fusions"] == {
        "count": 6,
        "distinct": 5,
        "most_repeated": [["bn1_1", "f.1", 2]],
    }
    assert read["branches"] == 1


def test_branches_before_they_are_compiled():
    index = jnp.int32(1)
    double, half = (lambda x: 2 * x), (lambda x: x / 2)
    switched = jax.jit(lambda i, x: jax.lax.switch(i, [double, half, double], x))
    assert repeats.lowered_branches(switched.lower(index, 1.0).as_text()) == 1


def test_functions_of_several_platforms_are_branches_that_xla_takes_away():
    def by_platform(x):
        return jax.lax.platform_dependent(x, cpu=lambda x: 2 * x, default=lambda x: x)

    lowered = jax.jit(by_platform).lower(1.0)
    assert repeats.lowered_branches(lowered.as_text()) == 2  # Which, and what.
    assert repeats.branches(text.operations(lowered.compile().as_text())) == []
