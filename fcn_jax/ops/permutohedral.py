"""Gaussian filtering in many dimensions on the permutohedral lattice.

Values are spread over the corners of the simplices that the points lie in (splat),
blurred along each axis of the lattice, and read off at the points (slice): linear in
the number of points. All shapes are fixed, and everything is built on the device: the
corners are found by sorting, where other implementations have a hash table.

References:
    Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the
    permutohedral lattice"; lucasb-eyer/pydensecrf, permutohedral.cpp, whose rules are
    kept: no vertex is added beyond those that a point touches, and what is missing
    counts as zero.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

_WORD = 32
_KEY_BITS = 2 * _WORD  # A key is packed into two words.


class Lattice(NamedTuple):
    """The lattice of N points in d dimensions, with room for M vertices.

    Where a vertex is missing its index is M, whose row holds zeros.
    """

    vertices: Array  # Of the simplex of each point, [N, d + 1] int32.
    weights: Array  # Barycentric coordinates in it, [N, d + 1] float.
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
    features = jax.lax.stop_gradient(features)
    count, d = features.shape
    remainder_0, rank, weights = _simplices(features)
    corners = np.arange(d + 1, dtype=np.int32)
    # Vertex k: coordinates move by k, those of the last k ranks by k - (d + 1).
    step = jnp.where(
        rank[:, None, :d] <= d - corners[None, :, None],
        corners[None, :, None],
        corners[None, :, None] - (d + 1),
    )
    keys = remainder_0[:, None, :d] + step  # [N, d + 1, d]
    if valid is None:
        valid = jnp.ones((count,), bool)
    words, in_range, low = _pack(keys, valid)
    flat = jnp.arange(count * (d + 1), dtype=jnp.int32)
    high_word, low_word, order = jax.lax.sort((*words, flat), num_keys=2)
    first = jnp.concatenate(
        [
            jnp.ones((1,), bool),
            (high_word[1:] != high_word[:-1]) | (low_word[1:] != low_word[:-1]),
        ]
    )
    counts = valid[order // (d + 1)]
    first = first & counts
    vertex = jnp.cumsum(first, dtype=jnp.int32) - 1
    num_vertices = vertex[-1] + 1
    vertex = jnp.where(counts & (vertex < capacity), vertex, capacity)
    vertices = jnp.zeros(count * (d + 1), jnp.int32)
    vertices = vertices.at[order].set(vertex, unique_indices=True)
    largest = jnp.uint32(2**_WORD - 1)
    table = [
        jnp.full((capacity + 1,), largest).at[vertex].set(word)[:capacity]
        for word in (high_word, low_word)
    ]
    table_full = jnp.arange(capacity, dtype=jnp.int32) < num_vertices
    unpacked = _unpack(table, low, d)
    neighbours = _neighbours(unpacked, table, table_full, low, d, capacity)
    fits = in_range & (num_vertices <= capacity)
    weights = jnp.where(valid[:, None], weights, jnp.zeros((), weights.dtype))
    if chunk is None:
        chunk = max(1, min(16, count * (d + 1) // capacity))
    plan = _chunks(vertex, order, weights, d, capacity, chunk)
    return Lattice(
        vertices.reshape(count, d + 1), weights, neighbours, *plan, num_vertices, fits
    )


def filter_values(lattice: Lattice, values: Array) -> Array:
    """The Gaussian filter of a lattice: about exp(-|f_i - f_j|^2 / 2) summed over j.

    Args:
        lattice: See `build`.
        values: [N, C] floating.

    Returns:
        [N, C]: linear in the values; a point's own value counts.
    """
    capacity = lattice.neighbours.shape[2]
    chunks = 0
    for s in range(lattice.chunk_points.shape[1]):
        weight = lattice.chunk_weights[:, s, None].astype(values.dtype)
        chunks = chunks + weight * values[lattice.chunk_points[:, s]]
    table = jax.ops.segment_sum(
        chunks, lattice.chunk_vertices, capacity + 1, indices_are_sorted=True
    )
    zero = jnp.zeros((1, values.shape[1]), values.dtype)
    table = table[:capacity]
    for forward, back in lattice.neighbours:
        padded = jnp.concatenate([table, zero])
        table = table + 0.5 * (padded[forward] + padded[back])
    padded = jnp.concatenate([table, zero])
    d = lattice.vertices.shape[1] - 1
    out = 0
    for k in range(d + 1):
        weight = lattice.weights[:, k, None].astype(values.dtype)
        out = out + weight * padded[lattice.vertices[:, k]]
    return out * jnp.asarray(1 / (1 + 2.0**-d), values.dtype)


def _simplices(features):
    """Of each point: the remainder-0 vertex, ranks of coordinates, weights."""
    count, d = features.shape
    dtype = features.dtype
    j = np.arange(1, d + 1)
    scale = math.sqrt(2 / 3) * (d + 1) / np.sqrt(j * (j + 1))
    scaled = features * jnp.asarray(scale, dtype)[None]
    # e_0 = sum of all; e_j = sum of those after j, less j times the j-th.
    after = jnp.cumsum(scaled[:, ::-1], axis=1)[:, ::-1]
    zero = jnp.zeros((count, 1), dtype)
    tail = jnp.concatenate([after[:, 1:], zero], axis=1)
    elevated = jnp.concatenate(
        [after[:, :1], tail - jnp.asarray(j, dtype)[None] * scaled], axis=1
    )
    rounded = jnp.round(elevated / (d + 1))
    total = jnp.sum(rounded, axis=1).astype(jnp.int32)
    nearest = rounded.astype(jnp.int32) * (d + 1)
    delta = elevated - rounded * (d + 1)
    # Descending and stable: of two equal ones the lower index comes first.
    i = np.arange(d + 1)
    earlier = jnp.asarray(i[None, :] < i[:, None])[None]
    ahead = (delta[:, None, :] > delta[:, :, None]) | (
        (delta[:, None, :] == delta[:, :, None]) & earlier
    )
    rank = jnp.sum(ahead, axis=2, dtype=jnp.int32) + total[:, None]
    shift = jnp.where(rank < 0, d + 1, jnp.where(rank > d, -(d + 1), 0))
    rank, nearest = rank + shift, nearest + shift
    t = (elevated - nearest.astype(dtype)) / (d + 1)
    place = jnp.asarray(i, jnp.int32)[None, None]
    by_rank = jnp.sum(
        jnp.where(rank[:, :, None] == place, t[:, :, None], jnp.zeros((), dtype)), 1
    )
    difference = by_rank[:, ::-1][:, 1:] - by_rank[:, ::-1][:, :-1]
    first = 1 + by_rank[:, -1:] - by_rank[:, :1]
    return nearest, rank, jnp.concatenate([first, difference], axis=1)


def _pack(keys, valid):
    """Keys in two words that sort alike; whether they fit; the lowest coordinates."""
    d = keys.shape[-1]
    bits = min(_WORD, _KEY_BITS // d)
    margin = d + 1  # A neighbour's key is a key too.
    counts = valid[:, None, None]
    most = jnp.int32(2**30)
    low = jnp.min(jnp.where(counts, keys, most), axis=(0, 1)) - margin
    high = jnp.max(jnp.where(counts, keys, -most), axis=(0, 1)) + margin
    # One value is left over, for what is not valid.
    in_range = jnp.all(high - low < min(2**bits - 1, 2**31 - 1))
    shifted = jnp.where(counts, keys - low[None, None], 0)
    words = _words(shifted.reshape(-1, d).astype(jnp.uint32), bits)
    last = jnp.uint32(2**_WORD - 1)
    flags = jnp.repeat(valid, keys.shape[1])
    return [jnp.where(flags, word, last) for word in words], in_range, low


def _words(fields, bits):
    """Unsigned fields, [R, d], as two words each, the first field highest."""
    d = fields.shape[1]
    high = jnp.zeros(fields.shape[:1], jnp.uint32)
    low = jnp.zeros(fields.shape[:1], jnp.uint32)
    for i in range(d):
        at = bits * (d - 1 - i)
        field = fields[:, i]
        if at >= _WORD:
            high = high | (field << jnp.uint32(at - _WORD))
            continue
        low = low | (field << jnp.uint32(at))
        if at + bits > _WORD:
            high = high | (field >> jnp.uint32(_WORD - at))
    return high, low


def _unpack(words, low, d):
    """The inverse of `_words`, as int32 keys [M, d]."""
    bits = min(_WORD, _KEY_BITS // d)
    high_word, low_word = words
    mask = jnp.uint32(2**bits - 1)
    fields = []
    for i in range(d):
        at = bits * (d - 1 - i)
        if at >= _WORD:
            field = high_word >> jnp.uint32(at - _WORD)
        else:
            field = low_word >> jnp.uint32(at)
            if at + bits > _WORD:
                field = field | (high_word << jnp.uint32(_WORD - at))
        fields.append((field & mask).astype(jnp.int32))
    return jnp.stack(fields, axis=1) + low[None]


def _neighbours(keys, table, full, low, d, capacity):
    """Indices along each axis, forward and back, [d + 1, 2, M]."""
    bits = min(_WORD, _KEY_BITS // d)
    found = []
    for axis in range(d + 1):
        move = np.full(d, -1, np.int32)
        if axis < d:
            move[axis] = d
        fields = (keys + move[None] - low[None]).astype(jnp.uint32)
        forward = _search(table, _words(fields, bits), capacity)
        forward = jnp.where(full, forward, capacity)
        # Who is my forward neighbour has me behind it.
        own = jnp.arange(capacity, dtype=jnp.int32)
        back = jnp.full((capacity + 1,), capacity, jnp.int32)
        back = back.at[forward].set(own)[:capacity]
        found.append(jnp.stack([forward, back]))
    return jnp.stack(found)


def _search(table, queries, capacity):
    """Where the queries stand in the sorted table; `capacity` where they do not."""
    high_word, low_word = table

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) // 2
        a, b = high_word[middle], low_word[middle]
        before = (a < queries[0]) | ((a == queries[0]) & (b < queries[1]))
        return jnp.where(before, middle + 1, low), jnp.where(before, high, middle)

    low = jnp.zeros(queries[0].shape, jnp.int32)
    high = jnp.full(queries[0].shape, capacity, jnp.int32)
    steps = capacity.bit_length()
    low, _ = jax.lax.fori_loop(0, steps, halve, (low, high))
    at = jnp.minimum(low, capacity - 1)
    hit = (high_word[at] == queries[0]) & (low_word[at] == queries[1])
    return jnp.where(hit & (low < capacity), at, capacity)


def _chunks(vertex, order, weights, d, capacity, size):
    """The rows of each vertex, which follow each other in `order`, `size` at a time."""
    rows = vertex.shape[0]
    num_chunks = capacity + -(-rows // size)
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
    points = jnp.zeros((num_chunks * size,), jnp.int32)
    points = points.at[slot].set(order // (d + 1), mode="drop")
    shares = jnp.zeros((num_chunks * size,), weights.dtype)
    shares = shares.at[slot].set(weights.reshape(-1)[order], mode="drop")
    # A chunk belongs to the vertex whose first chunk is the last that began.
    begins = jnp.zeros((num_chunks + 1,), jnp.int32)
    has_some = chunks_of[:capacity] > 0
    begins = begins.at[jnp.where(has_some, chunk_start[:capacity], num_chunks)].add(1)
    owner = jnp.cumsum(begins[:num_chunks], dtype=jnp.int32) - 1
    used = jnp.arange(num_chunks, dtype=jnp.int32) < chunk_end[capacity]
    owner = jnp.where(used, owner, capacity)
    shape = (num_chunks, size)
    return points.reshape(shape), shares.reshape(shape), owner
