"""Damage to files of weights, the same for the same seed."""

from collections.abc import Iterator

import numpy as np

# Lengths and offsets that readers stumble over.
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def mutations(whole: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Damaged copies of a file: flips, cuts, splices, other numbers, noise."""
    rng = np.random.default_rng(seed)
    kinds = (_flip, _cut, _splice, _number, _noise, _repeat)
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            data = kinds[int(rng.integers(len(kinds)))](data, rng)
        yield bytes(data)


def _place(data, rng):
    # Half of the damage near the beginning, where most formats have their structure.
    end = len(data) if rng.random() < 0.5 else min(len(data), 256)
    return int(rng.integers(max(1, end)))


def _flip(data, rng):
    if data:
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _cut(data, rng):
    return data[: _place(data, rng)]


def _splice(data, rng):
    a, b = sorted((_place(data, rng), _place(data, rng)))
    return data[:a] + data[b:]


def _number(data, rng):
    at, size = _place(data, rng), int(rng.choice((1, 2, 4, 8)))
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))] % (1 << 8 * size)
    data[at : at + size] = number.to_bytes(size, "little")
    return data


def _noise(data, rng):
    at, size = _place(data, rng), int(rng.integers(1, 32))
    data[at : at + size] = rng.bytes(size)
    return data


def _repeat(data, rng):
    a, b = sorted((_place(data, rng), _place(data, rng)))
    return data[:b] + data[a : min(b, a + 4096)] + data[b:]
