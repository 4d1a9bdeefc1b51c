"""What a network says of an image, as JSON; without anything of HTTP."""

import hashlib
import math
import time
from collections.abc import Sequence

from fcn_jax.runs import predicted
from fcn_jax.serving import pictures, uploads
from fcn_jax.serving.found import Found, Recent
from fcn_jax.serving.questions import Question
from fcn_jax.serving.served import Served
from fcn_jax.storage.files import JsonObject

MOST_KEPT = 256_000_000  # Bytes of what was found lately, for the next click.


class Answers:
    """Answers questions about images, one at a time.

    What was found lately is kept, in memory, by a hash of the image: who clicks pixel
    after pixel of one image waits for the network once. Images are not kept.

    Args:
        served: The network.
        most_kept: Bytes of what was found lately.

    Attributes:
        heads: Of the network.
    """

    def __init__(self, served: Served, most_kept: int = MOST_KEPT):
        self.heads, self._served = served.heads, served
        self._recent = Recent(most_kept)

    def about(self) -> JsonObject:
        """What a client must know of the network: classes, colours, limits."""
        return self._served.about()

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
        question = self._served.completed(question)
        key = (hashlib.sha256(data).digest(), question.crf, question.size)
        found, image = self._recent.recalled(key, question.points), None
        if found is None or question.picture:
            image = uploads.read(data, self._served.max_pixels)
        if found is None:
            assert image is not None
            found = self._served.ask(image, question, self._recent.room)
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
