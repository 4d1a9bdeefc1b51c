"""Gaussian filtering in many dimensions on the permutohedral lattice.

Values are spread over the corners of the simplices that the points lie in (splat),
blurred along each axis of the lattice, and read off at the points (slice): linear in
the number of points. All shapes are fixed, and everything is built on the device: the
corners are found by sorting, where other implementations have a hash table.

A vertex is known by its remainder k, what all of its coordinates leave when divided by
d + 1, and by their quotients. Corner k of every simplex has remainder k, so that the
corners of each remainder are sorted for themselves, by quotients as digits of one
number. XLA sorts one word a row three to six times as fast on a CPU as a key with a
row number beside it: some digits of the key and the row number share a word, and a few
such sorts follow each other.

References:
    Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the
    permutohedral lattice"; lucasb-eyer/pydensecrf, permutohedral.cpp, whose rules are
    kept: no vertex is added beyond those that a point touches, and what is missing
    counts as zero.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

_WORD = 32  # Bits.
_LARGEST = (
    4e9  # Of a key in one word; a little below 2**32, as it is computed in float32.
)


class Lattice(NamedTuple):
    """The lattice of N points in d dimensions, with room for M vertices.

    Where a vertex is missing its index is M, whose row holds zeros.
    """

    vertices: Array  # Of the simplex of each point, [d + 1, N] int32.
    weights: Array  # Barycentric coordinates in it, [d + 1, N] float.
    neighbours: Array  # Along each axis, forward and back, [d + 1, 2, M] int32.
    # The points of each vertex in chunks of S, for the splat.
    chunk_points: Array  # [K, S] int32.
    chunk_weights: Array  # [K, S] float; 0 where a chunk is not full.
    chunk_vertices: Array  # [K] int32, ascending.
    num_vertices: Array  # That the points touch, int32 scalar; more than M: too many.
    fits: Array  # Whether they do, and keys too; otherwise nothing here can be used.


def build(
    features: Array,
    capacity: int,
    valid: Array | None = None,
    chunk: int | None = None,
) -> Lattice:
    """Build the lattice of points.

    Args:
        features: Points, [N, d] floating, in units of the filter's standard deviation.
        capacity: Room for vertices, M; see `num_vertices` of the result.
        valid: Points that count, [N] bool; None: all. The others touch no vertex.
        chunk: Points of a vertex that are summed at a time; None: as many as there
            are if the capacity is met.

    Returns:
        The lattice. No gradient flows through it.

    Raises:
        ValueError: If features are not [N, d], or the capacity is not positive.
    """
    if features.ndim != 2:
        raise ValueError(
            f"permutohedral.build: features have shape {features.shape}; expected "
            f"[N, d], a row a point."
        )
    if capacity < 1:
        raise ValueError(
            f"permutohedral.build: capacity={capacity} is not positive; give room for "
            f"at most {features.shape[0] * (features.shape[1] + 1)} vertices."
        )
    features = jax.lax.stop_gradient(jnp.asarray(features))
    count, d = features.shape
    nearest, rank, weights = _simplices(features)
    if valid is None:
        valid = jnp.ones((count,), bool)
    weights = jnp.where(valid[None], weights, jnp.zeros((), weights.dtype))
    # Corner k: coordinates move by k, those of the last k ranks by k - (d + 1).
    corners = jnp.arange(d + 1, dtype=jnp.int32)[:, None, None]
    last = rank[:, :d].T[None] > d - corners  # [d + 1, d, N]
    quotients = nearest[:, :d].T[None] - last.astype(jnp.int32)
    keys = _pack(quotients, valid)
    points = _sort(keys, count)  # [d + 1, N]
    high, low = (_along(word, points) for word in keys.words)
    counts = _along(jnp.broadcast_to(valid, points.shape), points)
    new = (high[:, 1:] != high[:, :-1]) | (low[:, 1:] != low[:, :-1])
    first = jnp.concatenate([jnp.ones((d + 1, 1), bool), new], 1) & counts
    ends = jnp.cumsum(first.sum(axis=1, dtype=jnp.int32), dtype=jnp.int32)
    vertex = jnp.cumsum(first.reshape(-1), dtype=jnp.int32) - 1
    counts = counts.reshape(-1) & (vertex < capacity)
    vertex = jnp.where(counts, vertex, capacity)
    rows = (points + count * corners[:, 0]).reshape(-1)
    vertices = jnp.zeros(rows.shape, jnp.int32)
    vertices = vertices.at[rows].set(vertex, unique_indices=True)
    table = [
        jnp.zeros((capacity + 1,), jnp.uint32).at[vertex].set(word.reshape(-1))[:-1]
        for word in (high, low)
    ]
    if chunk is None:
        chunk = max(1, min(16, count * (d + 1) // capacity))
    plan = _chunks(
        vertex, points.reshape(-1), _rows(weights.reshape(-1), rows), capacity, chunk
    )
    return Lattice(
        vertices.reshape(d + 1, count),
        weights,
        _neighbours(table, ends, keys, capacity),
        *plan,
        ends[-1],
        keys.in_range & (ends[-1] <= capacity),
    )


def filter_values(lattice: Lattice, values: Array) -> Array:
    """The Gaussian filter of a lattice: about exp(-|f_i - f_j|^2 / 2) summed over j.

    Args:
        lattice: See `build`.
        values: [N, C] floating.

    Returns:
        [N, C]: linear in the values; a point's own value counts.
    """
    values = jnp.asarray(values)
    capacity = lattice.neighbours.shape[2]
    chunks = 0
    for s in range(lattice.chunk_points.shape[1]):
        weight = lattice.chunk_weights[:, s, None].astype(values.dtype)
        chunks = chunks + weight * _rows(values, lattice.chunk_points[:, s])
    table = jax.ops.segment_sum(
        chunks, lattice.chunk_vertices, capacity + 1, indices_are_sorted=True
    )
    zero = jnp.zeros((1, values.shape[1]), values.dtype)
    table = table[:capacity]
    for forward, back in lattice.neighbours:
        padded = jnp.concatenate([table, zero])
        table = table + 0.5 * (_rows(padded, forward) + _rows(padded, back))
    padded = jnp.concatenate([table, zero])
    d = len(lattice.vertices) - 1
    out = 0
    for vertices, weights in zip(lattice.vertices, lattice.weights, strict=True):
        out = out + weights[:, None].astype(values.dtype) * _rows(padded, vertices)
    return out * jnp.asarray(1 / (1 + 2.0**-d), values.dtype)


def _rows(table: Array, index: Array) -> Array:
    """Rows that there are: nothing is to be compiled for indices that leave a table."""
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _along(table: Array, index: Array) -> Array:
    """The same along the columns of every row."""
    return jnp.take_along_axis(table, index, axis=1, mode="promise_in_bounds")


def _simplices(features: Array):
    """The simplex of each point.

    Returns:
        Quotients of the coordinates of the corner of remainder 0, [N, d + 1] int32;
        ranks of the coordinates, the same; weights of the corners, [d + 1, N].
    """
    count, d = features.shape
    dtype = features.dtype
    j = np.arange(1, d + 1)
    # In steps and by reciprocals, as pydensecrf does: so both round alike.
    deviation = np.asarray(math.sqrt(2 / 3) * (d + 1), dtype).astype(float)
    scaled = features * jnp.asarray(deviation / np.sqrt(j * (j + 1)), dtype)[None]
    down = jnp.asarray(1 / (d + 1), dtype)
    # e_0 = sum of all; e_j = sum of those after j, less j times the j-th.
    after = jnp.cumsum(scaled[:, ::-1], axis=1)[:, ::-1]
    zero = jnp.zeros((count, 1), dtype)
    tail = jnp.concatenate([after[:, 1:], zero], axis=1)
    elevated = jnp.concatenate(
        [after[:, :1], tail - jnp.asarray(j, dtype)[None] * scaled], axis=1
    )
    rounded = jnp.round(elevated * down)
    total = jnp.sum(rounded, axis=1).astype(jnp.int32)
    nearest = rounded.astype(jnp.int32)
    delta = elevated - rounded * (d + 1)
    # Descending and stable: of two equal ones the lower index comes first.
    i = np.arange(d + 1)
    earlier = jnp.asarray(i[None, :] < i[:, None])[None]
    ahead = (delta[:, None, :] > delta[:, :, None]) | (
        (delta[:, None, :] == delta[:, :, None]) & earlier
    )
    rank = jnp.sum(ahead, axis=2, dtype=jnp.int32) + total[:, None]
    shift = (rank < 0).astype(jnp.int32) - (rank > d).astype(jnp.int32)
    rank, nearest = rank + (d + 1) * shift, nearest + shift
    t = (elevated - (nearest * (d + 1)).astype(dtype)) * down
    by_rank = jnp.stack(
        [
            jnp.sum(jnp.where(rank == r, t, jnp.zeros((), dtype)), axis=1)
            for r in range(d + 1)
        ]
    )
    difference = by_rank[::-1][1:] - by_rank[::-1][:-1]
    first = by_rank[-1:] + (1 - by_rank[:1])
    return nearest, rank, jnp.concatenate([first, difference])


class _Keys(NamedTuple):
    """Quotients as digits of a number of two words."""

    words: tuple[Array, Array]  # High and low, each [d + 1, N] uint32.
    strides: tuple[Array, Array]  # What one more of each quotient adds, [d] uint32.
    largest: tuple[Array, Array]  # Of each word, uint32 scalars.
    in_range: Array  # Whether both words hold what they have to, bool scalar.


def _pack(quotients: Array, valid: Array) -> _Keys:
    """Keys of corners, [d + 1, d, N] int32; what is not valid has the largest."""
    d = quotients.shape[1]
    counts, most = valid[None, None], jnp.int32(2**30)
    # A neighbour's key is a key too, and its quotients differ by 1 at most.
    low = jnp.min(jnp.where(counts, quotients, most), axis=(0, 2)) - 1
    high = jnp.max(jnp.where(counts, quotients, -most), axis=(0, 2)) + 1
    sides = jnp.where(high >= low, high - low + 1, 1)  # [d]
    logs = jnp.log(sides.astype(jnp.float32))
    # All digits in the low word where they fit, else the first half in the high one.
    split = d // 2
    together = jnp.sum(logs) < math.log(_LARGEST)
    in_range = together | (
        (jnp.sum(logs[:split]) < math.log(_LARGEST))
        & (jnp.sum(logs[split:]) < math.log(_LARGEST))
    )
    sides = sides.astype(jnp.uint32)
    one, zero = jnp.ones((), jnp.uint32), jnp.zeros((), jnp.uint32)
    high_strides, low_strides = [zero] * d, [zero] * d
    high_side = low_side = one
    for i in reversed(range(d)):
        in_low = together if i < split else jnp.array(True)
        low_strides[i] = jnp.where(in_low, low_side, zero)
        high_strides[i] = jnp.where(in_low, zero, high_side)
        low_side = jnp.where(in_low, low_side * sides[i], low_side)
        high_side = jnp.where(in_low, high_side, high_side * sides[i])
    shifted = jnp.where(counts, quotients - low[None, :, None], 0).astype(jnp.uint32)

    def word(strides: Sequence[Array], largest: Array) -> Array:
        parts = [shifted[:, i] * strides[i] for i in range(d)]
        return jnp.where(valid[None], sum(parts, start=zero), largest)

    high_largest = jnp.where(together, zero, high_side)
    return _Keys(
        (word(high_strides, high_largest), word(low_strides, low_side)),
        (jnp.stack(high_strides), jnp.stack(low_strides)),
        (high_largest, low_side),
        in_range,
    )


def _sort(keys: _Keys, count: int) -> Array:
    """The points in the order of their keys, [d + 1, N] int32; ties as they come."""
    place_bits = max(1, (count - 1).bit_length())
    digit_bits = _WORD - place_bits
    digit_mask, place_mask = (
        jnp.uint32(2**bits - 1) for bits in (digit_bits, place_bits)
    )
    high, low = keys.words
    place = jnp.arange(count, dtype=jnp.uint32)[None]

    def num_digits(largest: Array):
        bits = jnp.int32(_WORD) - jax.lax.clz(largest).astype(jnp.int32)
        return (bits + digit_bits - 1) // digit_bits

    num_low = num_digits(keys.largest[1])
    total = num_low + num_digits(keys.largest[0])

    def sort_by_digit(carry: tuple[Array, ...]):
        turn, points = carry
        word = jnp.where(turn < num_low, low, high)
        shift = digit_bits * jnp.where(turn < num_low, turn, turn - num_low)
        word = _along(word, points)
        digit = (word >> shift.astype(jnp.uint32)) & digit_mask
        packed = jax.lax.sort((digit << jnp.uint32(place_bits)) | place, dimension=1)
        places = (packed & place_mask).astype(jnp.int32)
        return turn + 1, _along(points, places)

    # Of the keys, so that within `shard_map` a loop begins with what it goes on with.
    points = (high & jnp.uint32(0)).astype(jnp.int32)
    points = points + jnp.arange(count, dtype=jnp.int32)[None]
    start = jnp.zeros((), jnp.int32), points
    return jax.lax.while_loop(lambda carry: carry[0] < total, sort_by_digit, start)[1]


def _neighbours(
    table: Sequence[Array], ends: Array, keys: _Keys, capacity: int
) -> Array:
    """Indices along each axis, forward and back, [d + 1, 2, M].

    The neighbour forward has one less in all coordinates, and d more along the axis:
    of remainder k it has k - 1, and one more in the quotient of the axis; of
    remainder 0 it has d, and one less in the others.
    """
    d = len(ends) - 1
    own = jnp.arange(capacity, dtype=jnp.int32)
    full = own < ends[-1]
    wraps = own < ends[0]  # Remainder 0.
    starts = jnp.concatenate([jnp.zeros((1,), jnp.int32), ends[:-1]])
    remainder = jnp.sum(own[None] >= ends[:, None], axis=0, dtype=jnp.int32)
    target = jnp.where(wraps, d, jnp.maximum(remainder - 1, 0))
    target = jnp.minimum(target, d)
    bounds = _rows(starts, target), jnp.minimum(_rows(ends, target), capacity)
    # All axes at once: one search to compile and to run, not d + 1.
    queries = []
    for word, strides in zip(table, keys.strides, strict=True):
        step = jnp.concatenate([strides, jnp.zeros((1,), jnp.uint32)])
        back = jnp.where(wraps, jnp.sum(strides, dtype=jnp.uint32), jnp.uint32(0))
        queries.append((word - back)[None] + step[:, None])
    bounds = tuple(jnp.broadcast_to(bound, (d + 1, capacity)) for bound in bounds)
    forward = _search(table, queries, bounds, capacity)
    forward = jnp.where(full[None], forward, capacity)
    # The vertex behind is the inverse: where vertex a has b ahead, b has a behind.
    rows = jnp.arange(0, (d + 1) * (capacity + 1), capacity + 1, dtype=jnp.int32)
    back = jnp.full(((d + 1) * (capacity + 1),), capacity, jnp.int32)
    back = back.at[rows[:, None] + forward].set(jnp.broadcast_to(own, forward.shape))
    back = back.reshape(d + 1, capacity + 1)[:, :capacity]
    return jnp.stack([forward, back], axis=1)


def _search(
    table: Sequence[Array],
    queries: Sequence[Array],
    bounds: tuple[Array, ...],
    capacity: int,
) -> Array:
    """Where queries stand between bounds of the table; `capacity` if they do not.

    Queries are two words, each [A, M] uint32; bounds [A, M] int32; the table two words,
    each [M].
    """
    high_word, low_word = table

    def halve(_: Array, bounds: tuple[Array, ...]):
        low, high = bounds
        middle = jnp.minimum((low + high) // 2, capacity - 1)
        a, b = _rows(high_word, middle), _rows(low_word, middle)
        before = (a < queries[0]) | ((a == queries[0]) & (b < queries[1]))
        before = before & (low < high)
        return jnp.where(before, middle + 1, low), jnp.where(before, high, middle)

    steps = capacity.bit_length()
    low, _ = jax.lax.fori_loop(0, steps, halve, bounds)
    at = jnp.minimum(low, capacity - 1)
    a, b = _rows(high_word, at), _rows(low_word, at)
    hit = (a == queries[0]) & (b == queries[1])
    return jnp.where(hit & (low < bounds[1]), at, capacity)


def _chunks(vertex: Array, points: Array, weights: Array, capacity: int, size: int):
    """The rows of each vertex, which follow each other, `size` at a time."""
    rows = len(vertex)
    # ceil(n / size) <= (n + size - 1) / size for the n rows of each vertex.
    num_chunks = -(-(rows + capacity * (size - 1)) // size)
    place = jnp.arange(rows, dtype=jnp.int32)
    start = jnp.full((capacity + 1,), rows, jnp.int32).at[vertex].min(place)
    per_vertex = jnp.zeros((capacity + 1,), jnp.int32).at[vertex].add(1)
    chunks_of = -(-per_vertex // size)
    chunks_of = chunks_of.at[capacity].set(0)
    chunk_end = jnp.cumsum(chunks_of, dtype=jnp.int32)
    chunk_start = chunk_end - chunks_of
    within = place - start[vertex]
    chunk = chunk_start[vertex] + within // size
    slot = jnp.where(vertex < capacity, chunk * size + within % size, num_chunks * size)
    chunk_points = jnp.zeros((num_chunks * size,), jnp.int32)
    chunk_points = chunk_points.at[slot].set(points, mode="drop")
    shares = jnp.zeros((num_chunks * size,), weights.dtype)
    shares = shares.at[slot].set(weights, mode="drop")
    # A chunk belongs to the vertex whose first chunk is the last that began.
    begins = jnp.zeros((num_chunks + 1,), jnp.int32)
    has_some = chunks_of[:capacity] > 0
    begins = begins.at[jnp.where(has_some, chunk_start[:capacity], num_chunks)].add(1)
    owner = jnp.cumsum(begins[:num_chunks], dtype=jnp.int32) - 1
    used = jnp.arange(num_chunks, dtype=jnp.int32) < chunk_end[capacity]
    owner = jnp.where(used, owner, capacity)
    shape = (num_chunks, size)
    return chunk_points.reshape(shape), shares.reshape(shape), owner
