"""COCO-Stuff (164K): COCO 2017 with 80 classes of things and 91 of stuff, per pixel.

    images/train2017/NUMBER.jpg, images/val2017/
    annotations/train2017/NUMBER.png, annotations/val2017/

as the authors' instructions lay out its archives. A pixel's value and its class stand
beside each other in their list of 182 names, of which 11 have no annotations; 255 is
void. The classes are the other 171, in that order.

References:
    Caesar et al. 2018, "COCO-Stuff: Thing and stuff classes in context";
    https://github.com/nightrome/cocostuff, labels.txt and README.
"""

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import VOID, Table
from fcn_jax.data.official.parallel_folders import ParallelFolders
from fcn_jax.data.official.trees import Part

# By the value of a pixel; the ids of the list are these plus one.
_TEXT = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, "
    "traffic light, fire hydrant, street sign, stop sign, parking meter, bench, bird, "
    "cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, backpack, "
    "umbrella, shoe, eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, "
    "tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl, banana, "
    "apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, "
    "couch, potted plant, bed, mirror, dining table, window, desk, toilet, door, tv, "
    "laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier, "
    "toothbrush, hair brush, banner, blanket, branch, bridge, building-other, bush, "
    "cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, clothes, "
    "clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, "
    "floor-marble, floor-other, floor-stone, floor-tile, floor-wood, flower, fog, "
    "food-other, fruit, furniture-other, grass, gravel, ground-other, hill, house, "
    "leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, "
    "pavement, pillow, plant-other, plastic, platform, playingfield, railing, "
    "railroad, river, road, rock, roof, rug, salad, sand, sea, shelf, sky-other, "
    "skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, "
    "tent, textile-other, towel, tree, vegetable, wall-brick, wall-concrete, "
    "wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other, "
    "waterdrops, window-blind, window-other, wood"
)
_NAMES = _TEXT.split(", ")
_WITHOUT = frozenset((
    "street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk",
    "door", "blender", "hair brush",
))  # fmt: skip
CLASSES = tuple(name for name in _NAMES if name not in _WITHOUT)
_TABLE = Table(
    {255: VOID, **{i: n for i, n in enumerate(_NAMES) if n not in _WITHOUT}},
    CLASSES,
    "0 to 181, the classes of COCO-Stuff but for 11 without annotations, or 255",
)
_FOLDERS = {"train": "train2017", "val": "val2017"}
LAYOUT = ParallelFolders(
    "coco_stuff",
    "171",
    heads=(Head("", CLASSES, VOC.palette),),
    parts=(
        Part("coco_train2017", mount="images"),
        Part("coco_val2017", mount="images"),
        Part("coco_stuff", mount="annotations"),
    ),
    table=_TABLE,
    folders=_FOLDERS,
)


def layout(classes: str) -> ParallelFolders:
    """The layout; there is one label set.

    Args:
        classes: "171" or "".

    Raises:
        ValueError: If it is another.
    """
    layouts.chosen("coco_stuff", classes, (LAYOUT.variant,))
    return LAYOUT
