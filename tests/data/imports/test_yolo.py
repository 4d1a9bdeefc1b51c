"""YOLO polygons as ultralytics 8 takes them, and the forms of their data.yaml."""

import weakref

import numpy as np
import pytest

from fcn_jax.data import imports
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import drawing
from fcn_jax.data.imports.contracts import NOTHING
from tests.support import folders

DRAW = drawing.draw
HEADER = Header(*folders.SIZE)  # 12 x 16.
SQUARE = "0.0625 0.09 0.26 0.09 0.26 0.34 0.0625 0.34"  # Pixels 1 to 4 of both.
YAML = "path: /elsewhere\ntrain: images/train\nval: images/val\n"
YAML += "names:\n  0: cat\n  1: dog\n"


def write(root, lines, yaml=YAML, split="train"):
    folders.save(root / f"images/{split}/a.jpg", folders.photo())
    (root / "images/val").mkdir(exist_ok=True, parents=True)
    (root / f"labels/{split}").mkdir(parents=True)
    (root / f"labels/{split}/a.txt").write_text(lines)
    (root / "data.yaml").write_text(yaml)
    return root


def drawn(root, header=HEADER):
    (example,) = imports.read("yolo", root).examples
    return example.read(header)


def test_an_outline_is_drawn_with_its_border(tmp_path):
    expected = np.full(folders.SIZE, NOTHING)
    expected[1:5, 1:5] = 1
    np.testing.assert_array_equal(drawn(write(tmp_path, f"1 {SQUARE}\n")), expected)


def test_smaller_outlines_lie_over_larger_ones(tmp_path):
    values = drawn(write(tmp_path, f"1 {SQUARE}\n0 0 0 1 0 1 1 0 1\n"))
    assert (values[2, 2], values[8, 8]) == (1, 0)


def test_shares_are_those_of_the_photo_as_it_is_seen(tmp_path):
    found = imports.read("yolo", write(tmp_path, f"1 {SQUARE}\n"))
    assert found.upright
    assert found.examples[0].read(Header(12, 16, 6)).shape == (16, 12)


@pytest.mark.parametrize(
    "yaml",
    [
        YAML,
        "train: ../images/train\nval: ../images/val\nnames: [cat, dog]\n",
        "train: [images/train]\nvalid: images/val\nnames: [cat, dog]\n",
        "train: images/train\nval: images/val\ntest: images/test\nnames: [cat, dog]\n",
        "train: images/train\nval: images/val\nnames: ['cat ', ' dog']\n",
    ],
)
def test_forms_of_the_yaml(tmp_path, yaml):
    root = write(tmp_path, f"1 {SQUARE}\n", yaml)
    for source in (root, root / "data.yaml"):
        found = imports.read("yolo", source)
        assert [(each.name, each.split) for each in found.examples] == [("a", "train")]
        assert [(key.value, key.name) for key in found.keys] == [
            (NOTHING, "background"),
            (0, "cat"),
            (1, "dog"),
        ]


def test_boxes_and_images_without_labels_are_told(tmp_path):
    root = write(tmp_path, f"0 0.5 0.5 0.2 0.2\n1 {SQUARE}\n")
    folders.save(root / "images/val/b.jpg", folders.photo())
    found = imports.read("yolo", root)
    assert found.notes == [
        "1 boxes without an outline are left out",
        "1 images without a file of labels are background",
    ]
    assert (found.examples[1].read(HEADER) == NOTHING).all()


def test_boxes_alone_are_all_background(tmp_path):
    root = write(tmp_path, "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(
        ValueError, match="no image has an outline, .* background; 1 boxes without"
    ):
        imports.read("yolo", root)


LISTS = "train: train.txt\nval: [val.txt]\nnames: [cat, dog]\n"


def test_lists_of_images(tmp_path, monkeypatch):
    """From the root on; what is not listed is left out."""
    root = write(tmp_path, f"1 {SQUARE}\n", LISTS)
    for name in ("train/b", "train/c", "val/d/e", "val/f"):
        folders.save(root / f"images/{name}.jpg", folders.photo())
    (root / "train.txt").write_text("images/train/a.jpg\n./images/train/b.jpg\n")
    (root / "val.txt").write_text(f"images/val/d/e.jpg\n{root}/images/val/f.jpg\n")
    monkeypatch.chdir(root)
    found = imports.read("yolo", "data.yaml")
    assert [(each.name, each.split) for each in found.examples] == [
        ("a", "train"), ("b", "train"), ("d/e", "val"), ("f", "val")
    ]  # fmt: skip
    assert (found.examples[0].read(HEADER) == 1).sum() == 16
    (root / "val.txt").write_text("images/val/g.jpg\n")
    with pytest.raises(FileNotFoundError, match="g.jpg does not exist, which .*val.tx"):
        imports.read("yolo", root)


def test_one_outline_at_a_time_is_held(tmp_path, monkeypatch):
    held, most = [], []

    def draw(*given):
        most.append(sum(each() is not None for each in held))
        covered = DRAW(*given)
        held.append(weakref.ref(covered))
        return covered

    monkeypatch.setattr(drawing, "draw", draw)
    drawn(write(tmp_path, f"1 {SQUARE}\n" * 9))
    assert len(most) >= 9
    assert max(most) <= 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("2 0 0 1 0 1 1\n", r"a.txt: class 2; the YAML names 2, 0 to 1"),
        (
            "0 0 0 1 0 1\n",
            r"a.txt: '0 0 0 1 0 1' is not understood; expected 'CLASS x y",
        ),
        ("cat 0 0 1 0 1 1\n", "is not understood"),
        ("0 0 0 1 0 1 nan\n", "is not understood"),
        ("0 0 0 40 0 40 40\n", "has pixels; YOLO's numbers are shares"),
    ],
)
def test_lines_that_are_not_yolo_s(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        drawn(write(tmp_path, lines))


@pytest.mark.parametrize(
    ("yaml", "error", "message"),
    [
        (
            "train: images/train\n",
            ValueError,
            "'names' is None; expected a list of names",
        ),
        ("names: []\n", ValueError, "'names' is ..; expected a list"),
        (
            "names: [a]\ntrain: 5\n",
            FileNotFoundError,
            "5 does not exist, where .* train",
        ),
        ("names: {1: cat}\n", ValueError, "'names' is {1: 'cat'}; expected a list"),
        (
            "- a\n",
            ValueError,
            "data.yaml names no folders and classes; expected 'train:",
        ),
        ("a: [\n", ValueError, "data.yaml is no readable YAML .*; mend it"),
        (
            "names: [a]\ntrain: x\n",
            FileNotFoundError,
            "x does not exist, where .* train",
        ),
    ],
)
def test_yaml_that_is_not_yolo_s(tmp_path, yaml, error, message):
    with pytest.raises(error, match=message):
        drawn(write(tmp_path, "", yaml))


def test_no_yaml(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="holds no data.yaml, which names the cl"
    ):
        imports.read("yolo", tmp_path)
