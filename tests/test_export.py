"""A network in one file: all nets against `apply`, JAX alone, errors."""

import dataclasses
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf, export, exported
from fcn_jax.data import label_sets, transforms
from fcn_jax.preprocessing import IMAGENET
from fcn_jax.storage import files
from tests.support import cases
from tests.support.exporting import apply, photos
from tests.support.paths import ROOT
from tests.support.patience import SECONDS

PALETTE = label_sets.VOC.palette
SMALL = {"num_classes": 3, "width": 1 / 64, "fc_features": 128}
NETWORKS = [
    pytest.param(name, padding, marks=() if quick else pytest.mark.slow)
    for name, padding, quick in (
        ("fcn32s", "caffe", False),
        ("fcn32s", "same", True),
        ("fcn16s", "caffe", False),
        ("fcn16s", "same", False),
        ("fcn8s", "caffe", True),
        ("fcn8s", "same", False),
        ("fcn8s_atonce", "caffe", False),
        ("fcn8s_atonce", "same", False),
        ("deconvnet", "valid", False),
        ("deconvnet", "same", True),
        ("deeplab", "", False),
        ("deeplab_7x7", "", False),
        ("deeplab_largefov", "", False),
        ("deeplab_msc_largefov", "", True),
    )
]


def write(path, model, variables, **options):
    settings = {"classes": ("a", "b", "c"), "palette": PALETTE} | options
    export.export_network(path, model, variables, **settings)
    return fcn_jax.load_exported(path)


@pytest.fixture(scope="module")
def small():
    model = fcn_jax.create("fcn32s", padding="same", **SMALL)
    return model, cases.random_variables(model, seed=3)  # It sees two classes.


@pytest.fixture(scope="module")
def file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "net.zip"
    write(path, *small)
    return path


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize(("name", "padding"), NETWORKS)
def test_three_sizes_are_what_apply_gives(tmp_path, name, padding):
    # Learned kernels go another way than fixed ones; both are among the nets.
    learned = {"upsampling": "learned"} if name in ("fcn16s", "fcn8s") else {}
    padded = {"padding": padding} if padding else {}
    model = fcn_jax.create(name, **padded, **SMALL, **learned)
    variables = cases.random_variables(model)
    net = write(tmp_path / "net.zip", model, variables)
    assert net.exported.platforms == ("cpu", "cuda", "tpu")
    least = model.smallest_image
    assert net.smallest_image == least
    # Odd, even, and the least there is; one image, two, three.
    for shape in (
        (1, least + 32, least + 65),
        (2, least + 7, least),
        (3, least, least),
    ):
        images = photos(shape)
        ours, theirs = net(images), apply(model, variables, images)
        assert (ours.shape, ours.dtype) == ((*shape, 3), jnp.float32)
        scale = np.abs(theirs).max()
        assert scale > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.long
@pytest.mark.parametrize(
    ("encoder", "options"),
    (
        ("alexnet", {"fc_features": 128}),
        pytest.param("googlenet", {}, marks=pytest.mark.slow),
    ),
)
def test_windows_that_overlap(tmp_path, encoder, options):
    """Poolings of 3 at stride 2, LRN, groups and branches, with skips."""
    model = fcn_jax.create("fcn8s", 3, encoder=encoder, width=1 / 16, **options)
    variables = cases.random_variables(model)
    net = write(tmp_path / "net.zip", model, variables)
    images = photos((1, 33, 50))
    theirs = apply(model, variables, images)
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    np.testing.assert_allclose(net(images), theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.long
def test_probabilities(tmp_path, small):
    net = write(tmp_path / "net.zip", *small, output="probabilities")
    images = photos((1, 40, 33))
    assert net.output == "probabilities"
    expected = jax.nn.softmax(apply(*small, images))
    np.testing.assert_allclose(net(images), expected, rtol=0, atol=1e-6)


def test_labels_recipe_and_what_is_told(tmp_path, small):
    about = {"step": 7}
    options = {"preprocessing": IMAGENET, "output": "labels", "about": about}
    net = write(tmp_path / "deep" / "net.zip", *small, **options)
    assert (net.classes, net.output) == (("a", "b", "c"), "labels")
    np.testing.assert_array_equal(net.palette, [(0, 0, 0), (128, 0, 0), (0, 128, 0)])
    assert net.metadata["preprocessing"]["name"] == "imagenet"
    assert net.metadata["step"] == 7
    assert net.metadata["jax"] == jax.__version__
    images = photos((2, 40, 33))
    labels = net(jnp.asarray(images))
    logits = apply(*small, images, IMAGENET)
    assert labels.dtype == jnp.int32
    np.testing.assert_array_equal(labels, logits.argmax(-1))
    assert len(np.unique(labels)) > 1
    assert net.palette[labels].shape == (2, 40, 33, 3)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["net.zip"]


# Imports nothing but the standard library, and what JAX itself needs.
LONELY = """
import importlib.machinery
import sys
allowed = {"jax", "jaxlib", "numpy", "ml_dtypes", "opt_einsum", "scipy", "flatbuffers"}
allowed |= {"exported", *sys.stdlib_module_names}

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in allowed or top.startswith("_sysconfigdata"):
            return super().find_spec(name, path, target)

machinery = importlib.machinery
sys.meta_path[:] = [machinery.BuiltinImporter, machinery.FrozenImporter, Finder]
for name in ("flax", "optax", "orbax", "tensorflow_datasets", "grain", "fcn_jax"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is there")
import numpy as np
import exported  # The copied file.
path, images, out = sys.argv[1:]
net = exported.load_exported(path)
np.save(out, net(np.load(images)))
allowed.add("fcn_jax")
import fcn_jax
assert fcn_jax.load_exported(path).classes == net.classes
assert "flax" not in sys.modules
"""


@pytest.mark.long
def test_loading_needs_jax_alone(tmp_path, small, file):
    images = photos((1, 33, 50))
    np.save(tmp_path / "images.npy", images)
    copy = Path(exported.__file__).read_bytes()
    (tmp_path / "exported.py").write_bytes(copy)
    (tmp_path / "use.py").write_text(LONELY)
    arguments = [file, tmp_path / "images.npy", tmp_path / "out.npy"]
    done = subprocess.run(
        [sys.executable, tmp_path / "use.py", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    ours, theirs = np.load(tmp_path / "out.npy"), apply(*small, images)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


def test_images_that_do_not_fit_are_refused(file, tmp_path):
    net = fcn_jax.load_exported(file)
    with pytest.raises(TypeError, match=r"images are float32; expected an array of ui"):
        net(np.zeros((1, 40, 40, 3), np.float32))
    with pytest.raises(TypeError, match="images are list; expected an array of uint8"):
        net([[1, 2, 3]])
    for shape in ((40, 40, 3), (1, 40, 40, 4), (1, 0, 40, 3)):
        with pytest.raises(ValueError, match=r"have shape .*; expected \[N, H, W, 3\]"):
            net(np.zeros(shape, np.uint8))
    model = fcn_jax.create("deconvnet", **SMALL)
    net = write(tmp_path / "net.zip", model, cases.random_variables(model))
    with pytest.raises(ValueError, match=r"have 224x192 pixels; .* takes 193x193 and"):
        net(photos((1, 224, 192)))


def altered(file, path, change):
    """A copy of an exported network whose members went through `change`."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    kind = change(members) or zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as new:
        for name, content in members.items():
            new.writestr(name, content)
    return path


def describe(**changes):
    def change(members):
        metadata = json.loads(members[exported.METADATA]) | changes
        members[exported.METADATA] = json.dumps(metadata).encode()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (describe(format="else"), r"is not a network .* not say 'fcn_jax network'"),
        (describe(version=2), r"version 2 of its format; this loader reads version 1"),
        (describe(classes=["a"]), r"1 classes have colours of shape \(3, 3\)"),
        (describe(palette=[[1, 2]]), r"3 classes have colours of shape \(1, 2\)"),
        (describe(palette=[["x"]]), r"is not a network .* or is damaged"),
        (describe(output="boxes"), r"output 'boxes' is none of logits, prob"),
        (describe(smallest_image=None), r"is not a network .* or is damaged"),
        (lambda m: m.update({exported.METADATA: b"[]"}), r"does not say"),
        (lambda m: m.update({exported.METADATA: b"{"}), r"is not a network"),
        (lambda m: m.pop(exported.METADATA) and None, r"\(no .*metadata.json"),
        (lambda m: m.pop(exported.NETWORK) and None, r"\(no .*network.jax_export"),
        (lambda m: zipfile.ZIP_DEFLATED, r"metadata.json is compressed or encrypted"),
        (
            lambda m: m.update({exported.NETWORK: b"x" * 64}),
            rf"with jax {jax.__version__} and cannot be read by jax .* six months",
        ),
    ],
)
def test_what_is_no_network_is_refused(file, tmp_path, change, message):
    with pytest.raises(ValueError, match=rf"net.zip .*{message}"):
        fcn_jax.load_exported(altered(file, tmp_path / "net.zip", change))


def test_damaged_files_are_refused(file, tmp_path):
    path = tmp_path / "net.zip"
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    flipped = []
    for place in rng.integers(len(whole) // 4, 3 * len(whole) // 4, 20):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        flipped.append(bytes(changed))
    torn = [whole[:size] for size in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    for content in (*flipped, *torn, rng.bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="net.zip is not a network .*; export it"):
            fcn_jax.load_exported(path)
    with pytest.raises(FileNotFoundError, match="nowhere.zip"):
        fcn_jax.load_exported(tmp_path / "nowhere.zip")


def test_without_flatbuffers(monkeypatch, file, small, tmp_path):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ImportError, match=r"exporting needs .* \(the extra \[export\]"):
        write(tmp_path / "net.zip", *small)
    with pytest.raises(ImportError, match=r"needs flatbuffers: pip install flatbuf"):
        fcn_jax.load_exported(file)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(tmp_path, small):
    path = tmp_path / "net.zip"
    with pytest.raises(ValueError, match=r"output='boxes' is not known; .* logits, pr"):
        write(path, *small, output="boxes")
    with pytest.raises(ValueError, match=r"scores 3 classes, but there are 2 names an"):
        write(path, *small, classes=("a", "b"))
    with pytest.raises(ValueError, match=r"scores 3 classes, .* 3 names and 2 colours"):
        write(path, *small, palette=PALETTE[:2])
    assert not list(tmp_path.iterdir())


def test_a_crf_is_refused(tmp_path, small):
    model, variables = small
    with pytest.raises(ValueError, match=r"FCN32s has a CRF behind it .*mean_field be"):
        write(tmp_path / "net.zip", crf.WithCRF(model, crf.CRF(3)), variables)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "cls"), (("hypercolumn", "Hypercolumn"), ("cfm", "CFM"))
)
def test_a_network_of_boxes_is_refused(tmp_path, small, name, cls):
    _, variables = small
    net = fcn_jax.create(name, 3)
    message = f"{cls} looks at proposals, which no file for images holds; use it"
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "net.zip", net, variables)


def test_a_full_disk_leaves_what_was_there(tmp_path, small):
    path = tmp_path / "net.zip"
    path.write_text("old")
    files.part_of(tmp_path / "net.zip").symlink_to("/dev/full")
    with pytest.raises(
        OSError, match=r"net.zip could not be written \(.*No space left"
    ):
        write(path, *small)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_probabilities_are_the_softmax_of_logits(tmp_path, small):
    net = write(tmp_path / "net.zip", *small, output="probabilities")
    assert net.output == "probabilities"
    images = photos((2, 40, 33))
    expected = jax.nn.softmax(apply(*small, images))
    np.testing.assert_allclose(net(images), expected, rtol=0, atol=1e-5)
    assert len(np.unique(expected.argmax(-1))) > 1


def test_within_jit(file):
    """As part of a larger program, traced with it."""
    net = fcn_jax.load_exported(file)
    images = photos((2, 33, 40))

    @jax.jit
    def area(images):
        return (net(images).argmax(-1) == 1).mean()

    assert area(images) == (net(images).argmax(-1) == 1).mean()
    with pytest.raises(ValueError, match=r"have shape .*; expected \[N, H, W, 3\]"):
        area(images[0])


@pytest.mark.parametrize("scale", (0.25, 0.3, 0.5, 0.75, 1.5, 2))
def test_sizes_are_rounded_as_where_a_run_is_scored(scale):
    for size in range(1, 500):
        expected, _ = transforms.scaled_size((size, size), scale)
        assert max(1, export._scaled(size, scale)) == expected, size


@pytest.mark.parametrize("version", ("99.0", "99.1.2.3"))
def test_a_file_of_a_newer_jax_is_refused_when_it_is_loaded(file, tmp_path, version):
    """jax 0.10.2 reads what 0.12.0.1 wrote without an error, and then fails at it."""
    path = altered(file, tmp_path / "net.zip", describe(jax=version))
    message = rf"with jax {version}, which is newer than .* three weeks after it wrote"
    with pytest.raises(ValueError, match=message):
        fcn_jax.load_exported(path)


@pytest.mark.parametrize("step", (-1, 1))
def test_a_file_of_another_time_is_refused_when_it_is_loaded(file, tmp_path, step):
    """Such a program is read without an error, and fails when it is called."""
    bound = "maximum" if step > 0 else "minimum"
    known = getattr(jax.export, f"{bound}_supported_calling_convention_version")
    old = fcn_jax.load_exported(file).exported
    old = dataclasses.replace(old, calling_convention_version=known + step)

    def change(members):
        describe(jax="0.4.30")(members)
        members[exported.NETWORK] = bytes(old.serialize())

    path = altered(file, tmp_path / "net.zip", change)
    message = rf"0.4.30 and cannot be .*convention {known + step}, known .*nearer to"
    with pytest.raises(ValueError, match=message):
        fcn_jax.load_exported(path)


def test_an_onnx_file_is_named(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x12\x07fcn_jax")
    with pytest.raises(ValueError, match=r"is an ONNX file by its name; onnxruntime"):
        fcn_jax.load_exported(path)


@pytest.mark.parametrize("version", (None, "0.10.0", "main"))
def test_other_versions_are_tried(file, tmp_path, version):
    path = altered(file, tmp_path / "net.zip", describe(jax=version))
    assert fcn_jax.load_exported(path).metadata["jax"] == version
