"""The wheel: what is in it, and that its commands work in an empty folder."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

import fcn_jax
from tests.support.paths import ROOT

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("source") / "project"
    kept = ("fcn_jax", "configs", "pyproject.toml", "setup.py", "requirements.txt")
    copy.mkdir()
    for name in (*kept, "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", ROOT / name, copy / name], check=True)
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", copy, "-w", out],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return next(out.glob("*.whl"))


def test_it_holds_the_package_its_types_and_the_configs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {
        "fcn_jax/py.typed",
        "fcn_jax/models/encoders/vgg.py",
        "fcn_jax/config/base.py",
        "fcn_jax/runs/trainer.py",
        "fcn_jax/configs/shapes_fcn8s.py",
    }
    for folder in ("viz/templates", "serving/static"):
        there = {path.name for path in (ROOT / "fcn_jax" / folder).iterdir()}
        packed = {n.rpartition("/")[2] for n in names if f"/{folder}/" in n}
        assert packed == there
    configs = {path.stem for path in (ROOT / "configs").glob("*.py")}
    packed = re.findall(r"fcn_jax/configs/(\w+)\.py", "\n".join(names))
    assert set(packed) == configs
    tops = {name.split("/")[0] for name in names}
    version = fcn_jax.__version__
    assert tops == {"fcn_jax", f"fcn_jax-{version}.dist-info"}


def test_its_commands_work_in_an_empty_folder(wheel, tmp_path):
    """Unpacked as pip does it; what it depends on is that of this environment."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
            "--target", site, wheel,
        ],
        check=True,
    )  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "JAX_PLATFORMS": "cpu",
        "PYTHONSAFEPATH": "1",
    }

    def run(*command):
        done = subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    script = [sys.executable, site / "bin" / "fcn_jax"]
    small = ("--config.model.name=fcn32s", "--config.model.batch_norm=False")
    run(*script, "train", "--config=shapes_fcn8s:smoke", "--workdir=X", *small)
    module = (sys.executable, "-m", "fcn_jax")
    batch = "--config.eval_batch_size=8"
    assert "mean IU" in run(*module, "eval", "--workdir=X", batch, "--report")
    assert (empty / "X" / "eval" / "val" / "metrics.json").exists()
    assert (empty / "X" / "eval" / "val" / "report.html").exists()
    where = run(sys.executable, "-c", "import fcn_jax; print(fcn_jax.__file__)")
    assert where.startswith(str(site))


def test_the_version_stands_once():
    text = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", text, re.MULTILINE)[1] == fcn_jax.__version__
    assert "\nversion =" not in (ROOT / "pyproject.toml").read_text().split("[tool")[0]
