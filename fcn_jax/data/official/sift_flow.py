"""SIFT Flow: 2,686 outdoor scenes, each with 33 semantic and 3 geometric classes.

    Images/spatial_envelope_256x256_static_8outdoorcategories/ID.jpg
    SemanticLabels/spatial_envelope_256x256_static_8outdoorcategories/ID.mat
    GeoLabels/spatial_envelope_256x256_static_8outdoorcategories/ID.mat

The heads are called "sem" and "geo", as in the layers of FCN's release. The 200 images
of "test" are those of the release's list; "train" (its trainval, 2,486) are all others
but two without annotation. Cow, desert and moon are in no image of test: the papers'
means are over the other 30 classes, and so are ours, also where they are predicted.

References:
    Liu et al. 2011, "Nonparametric scene parsing via label transfer"; Tighe and
    Lazebnik 2010 (geometric classes); fcn.berkeleyvision.org, data/sift-flow (lists,
    order of the classes) and siftflow_layers.py (geometric -1 is void too).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import VOID, Member, Table
from fcn_jax.data.official.trees import Part, Tree

SEMANTIC = (
    "awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow",
    "crosswalk", "desert", "door", "fence", "field", "grass", "moon", "mountain",
    "person", "plant", "pole", "river", "road", "rock", "sand", "sea", "sidewalk",
    "sign", "sky", "staircase", "streetlight", "sun", "tree", "window",
)  # fmt: skip
GEOMETRIC = ("sky", "horizontal", "vertical")
ABSENT = ("cow", "desert", "moon")  # From test.

_SCENES = "spatial_envelope_256x256_static_8outdoorcategories"
_PLACES = {"sem": "SemanticLabels", "geo": "GeoLabels"}
_TABLES = {
    "sem": Table(
        {0: VOID, **dict(enumerate(SEMANTIC, 1))},
        SEMANTIC,
        "1 to 33, the semantic classes of SIFT Flow, or 0 for void",
    ),
    "geo": Table(
        {-1: VOID, 0: VOID, **dict(enumerate(GEOMETRIC, 1))},
        GEOMETRIC,
        "1 to 3, the geometric classes of SIFT Flow, or -1 for void",
    ),
}
_UNANNOTATED = frozenset(("highway_bost181", "street_urb506"))
# By category, as FCN's test.txt has them.
_TEST = {
    "coast": """arnat59 bea3 cdmc838 cdmc889 cdmc948 cdmc997 land296 land374 n199066
        n203085 n286045 n295051 n384099 n672069 nat1091 nat1265 nat294 nat643 nat799
        nat901 natu468 natu649 natu804 natu825 natu975 sun14 sun42""",
    "forest": """bost103 cdmc291 cdmc348 cdmc451 for114 for15 for42 for84 land222
        land760 land862 nat1033 nat130 nat220 nat324 nat400 nat717 natc52 natu29
        natu439 natu848 natu994 text124 text44""",
    "highway": """a836030 art238 art580 bost151 bost164 bost178 bost293 bost307 bost320
        bost374 gre141 gre37 gre413 gre472 gre492 gre55 gre661 n480036 par23 urb759""",
    "insidecity": """a223049 a48009 a807066 art1125 art1277 art1598 art569 art646 art690
        art829 art947 boston232 boston92 gre290 hous109 hous35 hous79 par180 urb250
        urb362 urb584 urb781 urban992""",
    "mountain": """land143 land188 land275 land4 land787 moun41 n18070 n213021 n213081
        n219015 n344042 n371066 n44009 n736026 nat1008 nat116 nat30 nat426 nat57 nat762
        nat891 natu568 natu786 sharp20 sharp44 sharp66 ski24""",
    "opencountry": """cdmc354 fie14 fie36 land206 land295 land364 land493 land534
        land575 land638 land660 land691 land797 land923 n18002 n213059 n291058 n490003
        nat1117 nat423 nat615 nat802 nat965 natu38 natu524 natu563 natu65 natu852
        natu998 open61 tell67""",
    "street": """art1328 art760 art861 bost136 bost77 boston271 boston378 gre11 gre179
        gre295 hexp3 par118 par151 par177 par29 par68 par86 street27 urb200 urb521
        urb885""",
    "tallbuilding": """a212033 a279033 a463068 a487066 a538076 a805096 archi296 art1004
        art1316 art1474 art1616 art1719 art1751 art306 art425 art527 art900 city22
        city56 sky17 sky7 urb733 urban1003 urban1126 urban16 urban73 urban991""",
}
TEST = frozenset(
    f"{category}_{name}" for category, names in _TEST.items() for name in names.split()
)


@dataclasses.dataclass(frozen=True)
class SiftFlow:
    """See the module, and `layouts.Layout`."""

    name: str = "sift_flow"
    variant: str = "33"
    heads: tuple[Head, ...] = (
        Head("sem", SEMANTIC, VOC.palette, may_be_absent=ABSENT),
        Head("geo", GEOMETRIC, VOC.palette),
    )
    splits: tuple[str, ...] = ("train", "test")
    inside: str = "Images"
    parts: tuple[Part, ...] = (Part("sift_flow"),)

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: those of "train" are all images that are not of "test".

        Args:
            tree: All files.
            split: "train" or "test".
        """
        if split == "test":
            return [_member(name) for name in sorted(TEST)]
        start, end = f"Images/{_SCENES}/", ".jpg"
        held = {
            name.removeprefix(start).removesuffix(end)
            for name in tree.names
            if name.startswith(start) and name.endswith(end)
        }
        return [_member(name) for name in sorted(held - TEST - _UNANNOTATED)]

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A MATLAB file with the matrix S.
            head: "sem" or "geo".
            where: The file, for messages.
        """
        values = layouts.read_mat(data, "S", where, "SIFT Flow")
        return _TABLES[head].labels(values, where)


def _member(name: str) -> Member:
    labels = {head: f"{at}/{_SCENES}/{name}.mat" for head, at in _PLACES.items()}
    return Member(name, f"Images/{_SCENES}/{name}.jpg", labels)


def layout(classes: str) -> SiftFlow:
    """The layout; there is one label set.

    Args:
        classes: "33" or "".

    Raises:
        ValueError: If it is another.
    """
    layouts.chosen("sift_flow", classes, ("33",))
    return SiftFlow()
