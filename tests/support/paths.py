"""Where the tests find what they do not make themselves."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
CAMVID = Path(os.environ.get("FCN_JAX_CAMVID") or ROOT.parent / "shared/data/camvid")
NO_CAMVID = f"no CamVid in {CAMVID}; set FCN_JAX_CAMVID to it"  # Why a test skips.
