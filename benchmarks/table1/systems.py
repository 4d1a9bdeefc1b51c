"""The systems of Table 1: by which configs each is trained, and how it is asked.

All rows of a table see as many images (a crop of an object is one), and their encoders
start from the same weights. What is not so is said in a row's note: labels that are
weaker than masks, and objects that a data set does not know.
"""

import dataclasses
from collections.abc import Mapping

SHAPES, CAMVID, VOC = "shapes", "camvid", "voc2012"

Keys = Mapping[str, object]


@dataclasses.dataclass(frozen=True)
class Part:
    """A run of `train.py`.

    Attributes:
        config: A name of configs/.
        share: Of the images that the whole system sees.
        keys: Of the config, where they differ from its own.
        mode: Of the config.
    """

    config: str
    share: float = 1.0
    keys: Keys = dataclasses.field(default_factory=dict)
    mode: str = "full"


@dataclasses.dataclass(frozen=True)
class System:
    """What is trained once, and gives one or several rows.

    Attributes:
        name: Of its folder.
        parts: In order; each starts from the one before it.
        rows: Title of each row, and what eval.py --compare calls it: "net", "ensemble",
            with "+CRF" behind where the CRF has refined it.
        crf: Parameters of the CRF; "": none.
        ensemble_with: Name of the system whose run is the second of the ensemble.
        keys: Of the config, when it is evaluated.
        labels: What it learns from.
        note: What a reader must know beside.
    """

    name: str
    parts: tuple[Part, ...]
    rows: Mapping[str, str]
    crf: str = ""
    ensemble_with: str = ""
    keys: Keys = dataclasses.field(default_factory=dict)
    labels: str = "masks"
    note: str = ""


_DECONVNET_ROWS = {
    "DeconvNet": "net",
    "DeconvNet+CRF": "net+CRF",
    "EDeconvNet": "ensemble",
    "EDeconvNet+CRF": "ensemble+CRF",
}
_PROPOSALS = {"inference.method": "proposals"}
_FIRST_ZOOMOUT = {"model.name": "zoomout_v1"}  # Which TTI-Zoomout-16 is.
# What `fcn_jax regions` would find of a split is asked for in no row.
_ITS_THRESHOLD = (
    "regions are pasted above a probability of 0.5; the published ones above the score "
    "that leaves two an image"
)
_ITS_FEATURES = "without textons, words of SIFT and local nets"
_ITS_NOISE = f"{_ITS_FEATURES}; its encoder is not trained, and is noise here"


def _of_shapes() -> tuple[System, ...]:
    crf = "pydensecrf"  # The demo's: shapes have textures, which stronger ones follow.
    return (
        System(
            "hypercolumn",
            (Part("shapes_hypercolumn"),),
            {"Hypercolumn": "net"},
            note=_ITS_THRESHOLD,
        ),
        System("cfm", (Part("shapes_cfm"),), {"MSRA-CFM": "net"}, note=_ITS_THRESHOLD),
        System("fcn8s", (Part("shapes_fcn8s"),), {"FCN-8s": "net"}),
        System(
            "zoomout",
            (Part("shapes_zoomout", keys=_FIRST_ZOOMOUT),),
            {"TTI-Zoomout-16": "net"},
            note=_ITS_NOISE,
        ),
        System(
            "deeplab",
            (Part("shapes_deeplab_largefov"),),
            {"DeepLab-CRF": "net+CRF"},
            crf=crf,
            note="LargeFOV; the published row is MSc-LargeFOV",
        ),
        System(
            "deconvnet",
            (
                Part("shapes_deconvnet_stage1", 0.5),
                Part("shapes_deconvnet_stage2", 0.5),
            ),
            _DECONVNET_ROWS,
            crf=crf,
            ensemble_with="fcn8s",
            keys=_PROPOSALS,
        ),
        System(
            "wssl",
            (Part("shapes_wssl_bbox_seg"),),
            {"WSSL": "net+CRF"},
            crf=crf,
            labels="boxes",
            note="Bbox-Seg; the published row has all masks of VOC and COCO",
        ),
        System(
            "boxsup",
            (Part("shapes_boxsup"),),
            {"BoxSup": "net+CRF"},
            crf=crf,
            labels="boxes",
            note="the published row has masks of VOC and boxes of COCO",
        ),
    )


def _of_voc() -> tuple[System, ...]:
    return (
        System(
            "hypercolumn",
            (
                Part("voc_hypercolumn", 0.5, mode="boxes"),
                Part("voc_hypercolumn", 0.5),
            ),
            {"Hypercolumn": "net"},
            note=_ITS_THRESHOLD,
        ),
        System("cfm", (Part("voc_cfm"),), {"MSRA-CFM": "net"}, note=_ITS_THRESHOLD),
        System("fcn8s", (Part("voc_fcn8s_atonce"),), {"FCN-8s": "net"}),
        System(
            "zoomout",
            (Part("voc_zoomout", mode="v1"),),
            {"TTI-Zoomout-16": "net"},
            note=_ITS_FEATURES,
        ),
        System(
            "deeplab",
            (Part("voc_deeplab_largefov", 0.5), Part("voc_deeplab_msc_largefov", 0.5)),
            {"DeepLab-CRF": "net+CRF"},
            crf="deeplab_msc_largefov",
        ),
        System(
            "deconvnet",
            (
                Part("voc2012_deconvnet_stage1", 1 / 3),
                Part("voc2012_deconvnet_stage2", 2 / 3),
            ),
            _DECONVNET_ROWS,
            crf="deconvnet",
            ensemble_with="fcn8s",
            keys=_PROPOSALS,
        ),
        System(
            "wssl",
            (Part("voc_wssl_bbox_seg"),),
            {"WSSL": "net+CRF"},
            crf="deeplab_4x4",
            labels="boxes",
            note="Bbox-Seg; the published row has all masks of VOC and COCO",
        ),
        System(
            "boxsup",
            (Part("voc_boxsup", mode="segments"),),
            {"BoxSup": "net+CRF"},
            crf="deeplab_4x4",
            labels="boxes",
            note=(
                "candidates of selective search; the published row has those of MCG, "
                "masks of VOC and boxes of COCO"
            ),
        ),
    )


def _of_camvid() -> tuple[System, ...]:
    """Without the systems that learn from objects: labels of streets know none."""
    crf = "deconvnet"
    return (
        System("fcn8s", (Part("camvid_fcn8s"),), {"FCN-8s": "net"}),
        System(
            "zoomout",
            (Part("shapes_zoomout", keys=_LIKE_CAMVID | _FIRST_ZOOMOUT),),
            {"TTI-Zoomout-16": "net"},
            note=_ITS_NOISE,
        ),
        System(
            "deeplab",
            (Part("shapes_deeplab_largefov", keys=_LIKE_CAMVID | _CELLS),),
            {"DeepLab-CRF": "net+CRF"},
            crf=crf,
            note="LargeFOV; the published row is MSc-LargeFOV",
        ),
        System(
            "deconvnet",
            (
                Part("camvid_fcn8s", 0.35),
                Part("camvid_fcn32s", 0.15),
                Part("camvid_deconvnet", 0.5),
            ),
            _DECONVNET_ROWS,
            crf=crf,
            ensemble_with="fcn8s",
            note="from an FCN-32s, on whole images: streets have no objects to propose",
        ),
    )


# What configs of the shapes need on the streets, as in configs/camvid_fcn8s.py.
_LIKE_CAMVID: dict[str, object] = {
    "data.name": "folder",
    "data.scale": (0.4, 0.75),
    "data.crop": (176, 240),
    "eval_scale": 0.5,
    "model.num_classes": 11,
    "batch_size": 8,
    "eval_batch_size": 4,
}
_CELLS: dict[str, object] = {"data.crop": (177, 241)}  # DeepLab's, 8 pixels apart.

SYSTEMS = {SHAPES: _of_shapes(), CAMVID: _of_camvid(), VOC: _of_voc()}
# Rows of the table that a data set can't have, and why.
ABSENT = {
    CAMVID: dict.fromkeys(
        ("Hypercolumn", "MSRA-CFM", "WSSL", "BoxSup"),
        "learns from objects, and CamVid's labels know none",
    )
}
# Images that every system sees where it is not told: FCN-8s' of the demo, twenty
# epochs, and those of DeepLab's solver.
IMAGES = {SHAPES: 13_600, CAMVID: 7_340, VOC: 180_000}
