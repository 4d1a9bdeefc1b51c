"""The arrays of one file, each to its place in the variables of one net."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np

from fcn_jax.weights import names, provenance, surgery
from fcn_jax.weights import variables as variables_of
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.reports import Report

_SKIP_SCORES = ("score_pool4", "score_pool3")  # As the fields of `skip_scales`.


class Placement:
    """One file on its way into one net."""

    def __init__(self, path, model, file, source):
        self.path, self.model, self.file, self.source = path, model, file, source
        self.net = model.network  # Without a CRF behind it.
        convolutions = [x.name for x in self.net.encoder.layers() if x.kind == "conv"]
        # Layers that a classifier trained on ImageNet has in common with the net.
        self.trunk, self.first = frozenset(convolutions), convolutions[0]
        self.shapes = variables_of.shapes(model)
        self.values: dict[str, np.ndarray] = {}
        self.mismatched, self.notes = [], []
        self.unplaced = list(source.unknown)  # Not taken, and not known as needless.
        self.lacks_statistics = False  # BatchNorm's are to be taken first.
        self.fixed = []  # Upsampling kernels of a net that has none as parameters.

    def match(self):
        """Take every array that has a place and the shape for it."""
        taken = {}
        for entry in self.source.entries:
            if entry.target in taken:
                raise WeightsError(
                    self.path,
                    f"{taken[entry.target]!r} and {entry.source!r} are both "
                    f"{entry.target}",
                    "expected every layer once",
                )
            taken[entry.target] = entry.source
            wanted = self.shapes.get(entry.target)
            if wanted is None:
                fixed = "/up" in entry.target and entry.target.endswith("/kernel")
                (self.fixed if fixed else self.unplaced).append(entry)
                continue
            value = surgery.fit(entry, wanted.shape)
            if value is None:
                self.mismatched.append(
                    (entry.target, tuple(entry.array.shape), wanted.shape)
                )
            else:
                self.values[entry.target] = value
        self.unplaced = [getattr(x, "source", x) for x in self.unplaced]

    def check_upsampling(self):
        """Kernels of a net whose upsampling is fixed must be bilinear."""
        sizes = self.net.fixed_upsampling()
        for entry in self.fixed:
            layer = entry.target.split("/")[1]
            kernel = entry.array
            if kernel.ndim == 4 and entry.layout != names.HWIO:
                kernel = kernel.transpose(2, 3, 0, 1)
            if layer not in sizes:
                self.unplaced.append(entry.source)
                continue
            size, count = sizes[layer]
            shape = (size, size, count, count)
            if kernel.shape != shape:
                self.mismatched.append((entry.target, entry.array.shape, shape))
            elif surgery.is_bilinear(kernel):
                self.notes.append(
                    f"{entry.source} is bilinear, as the net's fixed {layer}"
                )
            else:
                self.unplaced.append(entry.source)
                self.notes.append(
                    f"{entry.source} is not the bilinear kernel of {layer}, which the "
                    f'net has fixed: create it with upsampling="learned"'
                )

    def fold_skips(self, skip_scales):
        """Bring score kernels to the net's factors on skips; fold upscore2's bias."""
        ours = getattr(self.net, "skip_scales", ())
        for i, layer in enumerate(_SKIP_SCORES):
            target, theirs = f"params/{layer}/kernel", layer.replace("score", "scale")
            if target not in self.values:
                self.unplaced += [theirs] if theirs in self.source.extra else []
                continue
            scale = self._scale_in_file(i, skip_scales)
            if scale is None:
                self.notes.append(
                    f"the file does not say by what factor its {layer} was trained: "
                    f"taken as the net's, {ours[i]:g}"
                )
                continue
            scale = np.asarray(scale, np.float64).reshape(-1)
            if scale.size not in (1, self.values[target].shape[2]):
                raise WeightsError(
                    self.path,
                    f"{theirs} has {scale.size} values",
                    f"expected {self.values[target].shape[2]}, one for each channel",
                )
            if not np.allclose(scale, ours[i], rtol=1e-6, atol=0):
                self.values[target] = surgery.fold_scale(
                    self.values[target], scale, ours[i]
                )
                self.notes.append(f"{layer} rescaled for the net's factor {ours[i]:g}")
        bias, target = self.source.extra.get("upscore2/bias"), "params/score_pool4/bias"
        if bias is not None and target not in self.values:
            self.unplaced.append("upscore2/bias")
        elif bias is not None:
            # What upscore2 adds to its scores meets those of pool4 in their sum.
            if bias.size != self.values[target].size:
                self.mismatched.append(
                    ("upscore2/bias", bias.shape, self.values[target].shape)
                )
            else:
                self.values[target] = self.values[target] + bias.reshape(-1)
                self.notes.append(
                    "the bias of upscore2 is added to that of score_pool4"
                )

    def _scale_in_file(self, i, given):
        """The factors on skip `i` that the file's scores were trained with, or None."""
        stored = self.source.extra.get(_SKIP_SCORES[i].replace("score", "scale"))
        if given is None and stored is not None:
            return stored
        scales = given
        if given is None:
            scales = provenance.recorded_skip_scales(self.path, self.file, self.source)
        if scales is not None and i < len(scales):
            return scales[i]
        # A net of Caffe has layers for its factors, or none.
        return 1.0 if self.source.style == names.CAFFE else None

    def set_statistics(self, bn_form):
        """Statistics for the BatchNorm of Caffe's DeconvNet, which stores none."""
        inference = self.file.bn_inference if bn_form is None else bn_form != "training"
        wanted = [name for name in self.shapes if name.startswith("batch_stats/")]
        given = any(name in self.values for name in wanted)
        if self.file.bn_inference is None or given or not wanted:
            return
        if not inference:
            self.lacks_statistics = True
            self.notes.append(
                "BatchNorm is in its training form, without statistics: take them "
                "over training batches (config.batch_stats_batches=501) before use"
            )
            return
        for name in wanted:
            value = 0.0 if name.endswith("/mean") else 1.0 - self.net.encoder.bn_epsilon
            self.values[name] = np.full(self.shapes[name].shape, value)
        self.notes.append(
            "the statistics of BatchNorm are folded into its scale and shift; to train "
            "on, start from the training form"
        )

    def hand_scores_on(self):
        """Give a decoder that starts as an upsampling the scores of an FCN."""
        deconv, last = "params/fc6-deconv/kernel", "params/seg-score/kernel"
        found = [x for x in self.source.entries if x.target == "params/score_fr/kernel"]
        if getattr(self.net, "decoder_start", "") != "upsampling" or not found:
            return
        shape = self.shapes[deconv].shape
        channels, classes = self.shapes[last].shape[2:]
        score = surgery.fit(found[0], (1, 1, shape[2], classes))
        if score is None or 2 * classes > channels or shape[3] % channels:
            self.notes.append(
                f"the decoder does not start with the scores of score_fr: they must be "
                f"of the net's {classes} classes, and at most half as many as the "
                f"{channels} channels of its last stage, which must divide the "
                f"{shape[3]} of fc6-deconv"
            )
            return
        self.values[deconv], self.values[last] = surgery.hand_scores_on(
            score, shape, channels, whole=self.net.encoder.padding == "valid"
        )
        self.unplaced.remove(found[0].source)
        self.notes.append("the decoder starts with the scores of score_fr")

    def fold_inputs(self, inputs, preprocessing):
        """Rewrite the first layer for images preprocessed as the net's will be."""
        source = inputs or provenance.inputs(self.path, self.file, self.source)
        source = source or preprocessing
        kernel, bias = (f"params/{self.first}/{part}" for part in ("kernel", "bias"))
        same = dataclasses.replace(source, name=preprocessing.name) == preprocessing
        if kernel not in self.values or same:
            return
        old = self.values.get(bias)
        zero = np.zeros(self.values[kernel].shape[-1])
        new_kernel, new_bias = surgery.fold_input(
            self.values[kernel], zero if old is None else old, source, preprocessing
        )
        self.values[kernel] = new_kernel
        if old is not None or new_bias.any():
            self.values[bias] = new_bias
        self.notes.append(
            f"{self.first} rewritten from {source.name} to {preprocessing.name} images "
            f'(if it was trained on those, say inputs="{preprocessing.name}")'
        )

    def report(self):
        """The account as it stands."""
        bad = {name for name, _, _ in self.mismatched}
        return Report(
            matched=tuple(sorted(self.values)),
            missing=tuple(sorted(self.shapes.keys() - self.values.keys() - bad)),
            unused=tuple(sorted((*self.unplaced, *self.source.unused))),
            mismatched=tuple(self.mismatched),
            notes=tuple(self.notes),
        )

    def check_strictly(self, report):
        """Refuse a file that is not this net.

        Raises:
            WeightsError: If a parameter is missing or misshapen, or one of the file is
                left over.
        """
        missing = [name for name in report.missing if not self._may_start(name)]
        problems = []
        if missing:
            problems.append(f"it lacks {_some(missing)}")
        if self.unplaced:
            problems.append(f"the net has no place for {_some(self.unplaced)}")
        for name, theirs, ours in self.mismatched[:3]:
            problems.append(f"{name} is {_shape(theirs)}, in the net {_shape(ours)}")
        if len(self.mismatched) > 3:
            problems.append(f"{len(self.mismatched) - 3} more shapes differ")
        if problems:
            raise WeightsError(
                self.path,
                f"it is not this {type(self.net).__name__}: {'; '.join(problems)}",
                f"{self.advice()}\n{report}\nAsked for was a net that is exactly the "
                f"file's",
            )

    def _may_start(self, name):
        """Whether a parameter may be absent: statistics to be taken, or VGG-16."""
        collection, layer = name.split("/")[:2]
        if collection == "batch_stats" and self.lacks_statistics:
            return True
        return layer not in self.trunk and self._is_trunk()

    def _is_trunk(self):
        """Whether the file is VGG-16 alone, trained on ImageNet."""
        layers = {entry.target.split("/")[1] for entry in self.source.entries}
        return all(layer in self.trunk or layer.startswith("bn") for layer in layers)

    def advice(self):
        """What to do about a net that does not fit."""
        classes = [
            theirs
            for name, theirs, ours in self.mismatched
            if name.split("/")[1] in ("score_fr", "seg-score") and len(ours) == 1
        ]
        if classes:
            return (
                f"create the net with num_classes={math.prod(classes[0])}, or pass "
                f"strict=False to start its scores anew"
            )
        return (
            "create the net that the file holds, or pass strict=False to take what "
            "fits and start the rest anew"
        )

    def variables(self, initial):
        """The net's variables: what was taken, the rest as it starts."""
        absent = sorted(self.shapes.keys() - self.values.keys())
        if initial is None:
            started = variables_of.start(self.model, absent)
        else:
            started = variables_of.taken_from(initial, absent, self.shapes)
        return variables_of.nested(
            {
                name: started[name] if name in started else self._cast(name, x.dtype)
                for name, x in self.shapes.items()
            }
        )

    def _cast(self, name, dtype):
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.ascontiguousarray(self.values[name].astype(dtype))
        if not np.isfinite(value.astype(np.float32, copy=False)).all():
            raise WeightsError(
                self.path,
                f"{name} holds NaN or numbers beyond {np.dtype(dtype).name}",
                "expected the weights of a net that was trained with success",
            )
        return jnp.asarray(value)


def _some(found):
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return ", ".join(found[:4]) + more


def _shape(shape):
    return "x".join(map(str, shape))
