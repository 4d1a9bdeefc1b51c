"""A network as it is served: with its dense CRF, and without."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from fcn_jax import crf
from fcn_jax.data import transforms
from fcn_jax.data.contracts import Head
from fcn_jax.runs import looking, trained
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.serving import found as found_of
from fcn_jax.serving.found import Found
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import BAD, TOO_LARGE, Refusal
from fcn_jax.storage.files import JsonObject

_CRF = "pydensecrf"  # Of the switch, where the run has none of its own.
_NO_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)


class Served:
    """A network that is asked with its dense CRF, and without.

    Args:
        net: The network.
        parameters: Of the CRF, as in a config; "": the run's, else pydensecrf's.
        max_pixels: Of an image.
        size: Longer side at which the network sees images, pixels; 0: their own.

    Attributes:
        heads: Of the network.
        nets: By whether the CRF comes after them; both have the same variables.

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
    ):
        if not net.preprocessing.takes_photos:
            count, given = (
                net.preprocessing.num_channels,
                net.preprocessing.channels_given,
            )
            sees = given if count == 3 else f"{count} channels"
            raise ValueError(
                f"{net.workdir} sees {sees}; images that are sent are RGB, so that it "
                f"cannot be served."
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
        self._parameters = parameters or own or ("" if several else _CRF)
        self._defaults = Question(crf=bool(parameters or own), size=size)
        self.nets = {False: trained.with_crf(net, "")}
        if self._parameters:
            self.nets[True] = trained.with_crf(net, self._parameters)

    def about(self) -> JsonObject:
        """What a client must know of the network: classes, colours, limits."""
        net = self.nets[False]
        known = self._parameters in crf.PARAMETERS
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
            "crf": self._parameters if known else Path(self._parameters).name,
            "crf_default": self._defaults.crf,
            "size_default": self._defaults.size,
            "max_pixels": self.max_pixels,
        }

    def completed(self, question: Question) -> Question:
        """The question, with the server's defaults where it says nothing.

        Raises:
            Refusal: If it asks a network with several heads for what these lack.
        """
        asked = question.crf if question.crf is not None else self._defaults.crf
        size = question.size if question.size is not None else self._defaults.size
        if len(self.heads) > 1 and (asked or size):
            raise Refusal(
                BAD,
                f"crf and size are for networks with one head, and this one has "
                f"{len(self.heads)}; leave them out",
            )
        return dataclasses.replace(question, crf=asked, size=size)

    def ask(self, image: np.ndarray, question: Question, room: int) -> list[Found]:
        """Ask the network, and take from its probabilities what is wanted.

        Args:
            image: uint8 RGB [H, W, 3].
            question: Completed.
            room: Bytes that the probabilities of all pixels may take.

        Returns:
            What was found, by head.

        Raises:
            Refusal: If the image lacks such a pixel, is too large, or none for the net.
        """
        size = (image.shape[0], image.shape[1])
        found_of.check_points(question.points, size)
        options = looking.Options(size=question.size or 0)
        if question.size:
            seen = transforms.scaled_size(size, question.size / max(size))
            self._check_pixels(seen)
        if len(self.heads) > 1 and options.tiles(*size) is not None:
            raise Refusal(
                TOO_LARGE,
                f"an image of {size[1]}x{size[0]} pixels is seen by tiles, which are "
                f"for networks with one head; send a smaller one",
            )
        net = self.nets[bool(question.crf)]
        try:
            if len(self.heads) == 1:
                by_head = [looking.strips(net, image, options)]
            else:
                probs = net.predict_probs(image)
                assert isinstance(probs, dict)
                by_head = [[(0, probs[head.name])] for head in self.heads]
            room //= len(self.heads)
            return [
                found_of.gathered(strips, size, head, question.points, room)
                for head, strips in zip(self.heads, by_head, strict=True)
            ]
        except ValueError as error:  # Too small for its proposals, or superpixels.
            raise Refusal(
                BAD, f"the image is none for this network: {error}"
            ) from error
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


def _hex(colour: np.ndarray) -> str:
    return f"#{bytes(colour.tolist()).hex()}"
