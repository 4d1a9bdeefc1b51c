#!/usr/bin/env bash
# Grain documents ds[shard_index::shard_count] as the way to share a data set between
# processes, and ds.seed(...) right after the source as the way to seed it. random_map
# behind both derives an element's generator from the seed and the element's place in what
# lies before it, that is, in the shard. So the n-th image of every process has the same
# draws: of eight processes all eight crop at the same corner and flip together, in every
# step of the training, and a global batch of 128 images has 16 augmentations, not 128. The
# images differ and each process alone looks right. It is so behind shuffle too; only one
# process has as many draws as elements.
# Grain's DataLoader, and random_map before the slice, draw per element of the whole data
# set. Safe are these, or a random_map(seed=...) that depends on the shard.
#
# Seen with grain 0.2.18 and numpy 2.4.6, 16 elements and 4 shards, a draw of 0..999 each:
#   sliced, then random_map:   4 draws differ of 16, whichever shard
#   random_map, then sliced:  16
#   DataLoader:               16
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grain==0.2.18 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import grain
import numpy as np

ELEMENTS, SHARDS = 16, 4


class Draw(grain.transforms.RandomMap):
    def random_map(self, element, rng: np.random.Generator):
        return int(element), int(rng.integers(1000))


def sliced_first(shard):
    ds = grain.MapDataset.range(ELEMENTS).seed(0).shuffle()
    return ds[shard::SHARDS].random_map(Draw())


def mapped_first(shard):
    return grain.MapDataset.range(ELEMENTS).seed(0).shuffle().random_map(Draw())[shard::SHARDS]


def loader(shard):
    sampler = grain.samplers.IndexSampler(
        num_records=ELEMENTS,
        shard_options=grain.sharding.ShardOptions(shard_index=shard, shard_count=SHARDS),
        shuffle=True,
        num_epochs=1,
        seed=0,
    )
    source = np.arange(ELEMENTS)
    return grain.DataLoader(data_source=source, sampler=sampler, operations=[Draw()])


counts = {}
for make in (sliced_first, mapped_first, loader):
    shards = [list(make(shard)) for shard in range(SHARDS)]
    elements = sorted(element for shard in shards for element, _ in shard)
    assert elements == list(range(ELEMENTS)), elements
    draws = [tuple(draw for _, draw in shard) for shard in shards]
    counts[make] = len({draw for shard in draws for draw in shard})
    print(f"{make.__name__}: {counts[make]} draws differ of {ELEMENTS}; by shard {draws}")
    if make is sliced_first:
        assert len(set(draws)) == 1, "mended"
assert counts == {sliced_first: ELEMENTS // SHARDS, mapped_first: 16, loader: 16}, counts
PYTHON
