"""What batches hold of windows."""

import numpy as np

from fcn_jax.data import windows


class Boxes:
    def max_windows(self, canvas):
        return 3

    def __call__(self, image, name):
        return np.array([[0, 0, 2, 2], [1, 1, 2, 3]], np.int32)


class More(Boxes):
    def empty(self, rows, canvas):
        return {"marks": np.full((rows, 3, 2), -1, np.int32)}

    def of_image(self, image, name):
        return {"boxes": self(image, name), "marks": np.ones((2, 1), np.int32)}


def laid(made):
    batch = windows.empty(made, 2, (4, 4))
    windows.lay(made, batch, 1, np.zeros((2, 3, 3), np.uint8), "im0")
    return batch


def test_boxes_go_first_in_their_row():
    batch = laid(Boxes())
    assert batch["num_boxes"].tolist() == [0, 2]
    assert batch["boxes"][1].tolist() == [[0, 0, 2, 2], [1, 1, 2, 3], [0, 0, 0, 0]]
    assert not batch["boxes"][0].any()
    assert batch.keys() == {"boxes", "num_boxes"}


def test_what_belongs_to_them_goes_beside():
    batch = laid(More())
    assert batch["marks"][1].tolist() == [[1, -1], [1, -1], [-1, -1]]
    assert (batch["marks"][0] == -1).all()
    assert batch["num_boxes"].tolist() == [0, 2]
