#!/usr/bin/env bash
# Grain's shuffle looks every place up in a permutation of 65,536 numbers at least, and
# again until it meets one that the data set has. So an epoch of two elements takes as long
# as one of hundreds, and an index of two takes some 30,000 looks, 10 ms of a core, where
# one of 4,096 takes 0.02 ms. Who tries a network on four images to see that it can learn
# them at all, the usual first test, waits for their order longer than for the reading; in
# the full data set nothing of it is to be seen. The order itself is sound.
# A numpy permutation an epoch costs what it should.
#
# Seen with grain 0.2.18, MapDataset.range(n).shuffle(seed=0), CPU time of an element:
#   n = 2: 9.9 ms, 8: 3.6 ms, 64: 0.45 ms, 4,096: 0.019 ms
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grain==0.2.18
"$folder/venv/bin/python" - <<'PYTHON'
import itertools
import time

import grain


def seconds(size):
    """CPU time of an element, the least of three times 64 epochs or one."""
    epochs = max(1, 64 // size)
    best = float("inf")
    for _ in range(3):
        shuffled = grain.MapDataset.range(size).shuffle(seed=0).repeat(epochs)
        places = range(min(size * epochs, 256))
        start = time.process_time()
        found = [shuffled[place] for place in places]
        best = min(best, (time.process_time() - start) / len(places))
    once = grain.MapDataset.range(size).shuffle(seed=0)
    assert sorted(once[place] for place in range(size)) == list(range(size))
    return best


times = {size: seconds(size) for size in (2, 8, 64, 4096)}
for size, each in times.items():
    print(f"{size} elements: {each * 1e3:.3f} ms an element")
for few, more in itertools.pairwise((2, 8, 64)):
    ratio = times[few] / times[more]
    assert 1.5 < ratio < 20, f"{few} and {more} elements: {ratio:.1f} times, 4 and 8 expected"
assert times[2] > 100 * times[4096], "mended"
PYTHON
