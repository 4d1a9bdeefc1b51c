"""What a network says of an image, as JSON; without anything of HTTP."""

import dataclasses
import hashlib
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from fcn_jax import crf
from fcn_jax.data import transforms
from fcn_jax.data.contracts import Head
from fcn_jax.runs import predicted, prediction, trained
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.serving import found as found_of
from fcn_jax.serving import pictures, uploads
from fcn_jax.serving.found import Found, Recent
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import BAD, TOO_LARGE, Refusal
from fcn_jax.storage.files import JsonObject

MOST_KEPT = 256_000_000  # Bytes of what was found lately, for the next click.
_CRF = "pydensecrf"  # Of the switch, where the run has none of its own.
_NO_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)


class Answers:
    """Answers questions about images, one at a time.

    What was found lately is kept, in memory, by a hash of the image: who clicks pixel
    after pixel of one image waits for the network once. Images are not kept.

    Args:
        net: The network.
        parameters: Of the dense CRF that can be switched on, as in a config; "": the
            run's, else those of pydensecrf.
        max_pixels: Of an image.
        size: Longer side at which the network sees images, pixels; 0: their own.
        most_kept: Bytes of what was found lately.

    Raises:
        ValueError: If the network does not see RGB, or there are no such parameters, or
            they or a size are given for a network with several heads.
    """

    def __init__(
        self,
        net: TrainedNet,
        parameters: str = "",
        max_pixels: int = 16_000_000,
        size: int = 0,
        most_kept: int = MOST_KEPT,
    ):
        channels = net.preprocessing.num_channels
        if channels != 3:
            raise ValueError(
                f"{net.workdir} sees {channels} channels; images that are sent are "
                f"RGB, so that it cannot be served."
            )
        own = net.config.crf.parameters
        self.heads: Sequence[Head] = net.heads
        self.max_pixels = max_pixels
        several = len(self.heads) > 1
        if several and size:
            raise ValueError(
                f"--size={size} is for networks with one head; {net.workdir} has "
                f"{len(self.heads)}: leave it out."
            )
        self.parameters = parameters or own or ("" if several else _CRF)
        self._defaults = Question(crf=bool(parameters or own), size=size)
        self._nets = {False: trained.with_crf(net, "")}
        if self.parameters:
            self._nets[True] = trained.with_crf(net, self.parameters)
        self._recent = Recent(most_kept)

    def about(self) -> JsonObject:
        """What a client must know of the network: classes, colours, limits."""
        net = self._nets[False]
        known = self.parameters in crf.PARAMETERS
        return {
            "run": net.workdir.resolve().name,
            "model": net.config.model.name,
            "step": net.checkpoint.step,
            "heads": [
                {
                    "name": head.name,
                    "classes": [
                        {"label": i, "name": name, "colour": _hex(head.palette[i])}
                        for i, name in enumerate(head.classes)
                    ],
                }
                for head in self.heads
            ],
            # Of a file the name: where it lies is nobody's business.
            "crf": self.parameters if known else Path(self.parameters).name,
            "crf_default": self._defaults.crf,
            "size_default": self._defaults.size,
            "max_pixels": self.max_pixels,
        }

    def answer(self, data: bytes, question: Question) -> JsonObject:
        """What the network says of an image.

        Args:
            data: The image's file.
            question: What is asked.

        Returns:
            `width`, `height`, `crf`, `size`, `seconds`, `classes` (each one's share of
            the pixels, as in predictions.jsonl); `labels`, a palette PNG, and
            `picture`, a JPEG, both in base64; `pixels`, with `x`, `y`, `class` and
            `probabilities`. What is not asked for is left out. Of several heads shares,
            labels, and the class and probabilities of a pixel are by head.

        Raises:
            Refusal: If it is no image that can be read, is too large, or lacks a pixel
                that is asked for.
        """
        start = time.perf_counter()
        question = self._completed(question)
        key = (hashlib.sha256(data).digest(), question.crf, question.size)
        found, image = self._recent.recalled(key, question.points), None
        if found is None or question.picture:
            image = uploads.read(data, self.max_pixels)
        if found is None:
            assert image is not None
            found = self._asked(image, question)
            self._recent.keep(key, found)
        height, width = found[0].labels.shape
        shares = {
            head.name: predicted.shares(each.labels, head)
            for head, each in zip(self.heads, found, strict=True)
        }
        answer: JsonObject = {
            "width": width,
            "height": height,
            "crf": question.crf,
            "size": question.size,
            "classes": self._by_head(shares),
        }
        if question.labels:
            drawn = {
                head.name: pictures.png(each.labels, head.palette)
                for head, each in zip(self.heads, found, strict=True)
            }
            answer["labels"] = self._by_head(drawn)
        if question.picture:
            assert image is not None
            answer["picture"] = pictures.jpeg(image)
        if question.points:
            answer["pixels"] = [
                self._pixel(found, number, point)
                for number, point in enumerate(question.points)
            ]
        answer["seconds"] = round(time.perf_counter() - start, 3)
        return answer

    def _completed(self, question: Question) -> Question:
        """The question, with the server's defaults where it says nothing."""
        asked = question.crf if question.crf is not None else self._defaults.crf
        size = question.size if question.size is not None else self._defaults.size
        if len(self.heads) > 1 and (asked or size):
            raise Refusal(
                BAD,
                f"crf and size are for networks with one head, and this one has "
                f"{len(self.heads)}; leave them out",
            )
        return dataclasses.replace(question, crf=asked, size=size)

    def _asked(self, image: np.ndarray, question: Question) -> list[Found]:
        """Ask the network, and take from its probabilities what is wanted."""
        size = (image.shape[0], image.shape[1])
        found_of.check_points(question.points, size)
        options = prediction.Options(size=question.size or 0)
        if question.size:
            seen = transforms.scaled_size(size, question.size / max(size))
            self._check_pixels(seen)
        net = self._nets[bool(question.crf)]
        try:
            if len(self.heads) == 1:
                by_head = [prediction.strips(net, image, options)]
            else:
                probs = net.predict_probs(image)
                assert isinstance(probs, dict)
                by_head = [[(0, probs[head.name])] for head in self.heads]
            room = self._recent.room // len(self.heads)
            return [
                found_of.gathered(strips, size, head, question.points, room)
                for head, strips in zip(self.heads, by_head, strict=True)
            ]
        except jax.errors.JaxRuntimeError as error:
            if not _NO_MEMORY.search(str(error)):
                raise
            raise Refusal(
                TOO_LARGE,
                f"the memory of the server's device does not suffice for "
                f"{size[1]}x{size[0]} pixels; send a smaller image, or give size",
            ) from error

    def _check_pixels(self, seen: tuple[int, int]) -> None:
        if seen[0] * seen[1] > self.max_pixels:
            raise Refusal(
                TOO_LARGE,
                f"the image would be seen at {seen[1]}x{seen[0]} pixels, and "
                f"{self.max_pixels:,} is the most; give a smaller size",
            )

    def _by_head(self, found: JsonObject) -> object:
        return found if len(self.heads) > 1 else found[self.heads[0].name]

    def _pixel(
        self, found: Sequence[Found], number: int, point: tuple[int, int]
    ) -> JsonObject:
        """What there is to say of one pixel."""
        classes: JsonObject = {}
        probabilities: JsonObject = {}
        for head, each in zip(self.heads, found, strict=True):
            classes[head.name] = head.classes[each.labels[point[1], point[0]]]
            probabilities[head.name] = {
                name: round(float(p), 4) if math.isfinite(p) else None
                for name, p in zip(head.classes, each.at[number], strict=True)
            }
        return {
            "x": point[0],
            "y": point[1],
            "class": self._by_head(classes),
            "probabilities": self._by_head(probabilities),
        }


def _hex(colour: np.ndarray) -> str:
    return f"#{bytes(colour.tolist()).hex()}"
