"""A lattice written for reading, that the array one is held against."""

import numpy as np


def dictionary_lattice(features, values):
    """Adams et al. 2010, point by point; returns the result and the vertices."""
    count, d = features.shape
    j = np.arange(1, d + 1)
    scaled = features * np.sqrt(2 / 3) * (d + 1) / np.sqrt(j * (j + 1))
    table, corners = {}, []
    for n in range(count):
        c = scaled[n]
        e = np.array([c.sum()] + [c[i:].sum() - i * c[i - 1] for i in j])
        r = (d + 1) * np.round(e / (d + 1))
        order = np.argsort(-(e - r), kind="stable")
        rank = np.empty(d + 1, int)
        rank[order] = np.arange(d + 1)
        rank += int(np.round(r.sum() / (d + 1)))
        for i in range(d + 1):
            move = (d + 1) * ((rank[i] < 0) - int(rank[i] > d))
            rank[i] += move
            r[i] += move
        tau = np.empty(d + 1)
        tau[rank] = (e - r) / (d + 1)
        own = []
        for k in range(d + 1):
            key = tuple(
                int(r[i] + (k if rank[i] <= d - k else k - d - 1)) for i in range(d)
            )
            share = tau[d - k] - tau[d - k + 1] if k else 1 + tau[d] - tau[0]
            own.append((key, share))
            table[key] = table.get(key, 0) + share * values[n]
        corners.append(own)
    for axis in range(d + 1):
        move = np.full(d, -1)
        if axis < d:
            move[axis] = d
        table = {
            key: value
            + 0.5 * table.get(tuple(key + move), 0)
            + 0.5 * table.get(tuple(key - move), 0)
            for key, value in table.items()
        }
    out = [sum(share * table[key] for key, share in own) for own in corners]
    return np.array(out) / (1 + 2.0**-d), len(table)
