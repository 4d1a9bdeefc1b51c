r"""FCN-8s on the built-in shapes, trained at resolutions from half to twice their own.

python train.py --config=configs/shapes_fcn8s_scales.py --workdir=runs/scales
python eval.py --workdir=runs/scales --resolutions=0.5,1,2
python eval.py --workdir=runs/scales --scales=0.5,1,2
The papers train and score at one resolution; no number is published.
Ours: docs/results.md, "Several resolutions", of a narrower net.
"""

from fcn_jax.config import named

shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_fcn8s.get_config(mode)
    config.data.scale = (0.5, 2.0)
    return config
