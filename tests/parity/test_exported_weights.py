"""Nets that go to PyTorch and come from it, through files: the same logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

import fcn_jax
from benchmarks.peers import pytorch_nets
from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import IMAGENET
from fcn_jax.weights import saving
from tests.support import cases

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
SMALL = {"width": 1 / 16, "fc_features": 128}
NETS = (
    ("fcn32s", {"padding": "same"}),
    ("fcn8s", {"padding": "caffe"}),
    ("fcn8s", {"padding": "same", "batch_norm": True}),
    ("fcn8s_atonce", {"padding": "same"}),
    ("deconvnet", {"padding": "same"}),
    ("deconvnet", {"padding": "valid"}),
)


class Deconvolution(nn.Module):
    """Upsampling by a kernel in the file, as in wkentaro/pytorch-fcn."""

    def __init__(self, num_classes, factor):
        super().__init__()
        shape = (num_classes, num_classes, 2 * factor, 2 * factor)
        self.weight, self.factor = nn.Parameter(torch.zeros(shape)), factor

    def forward(self, x):
        return F.conv_transpose2d(x, self.weight, stride=self.factor)


def build(name, options, monkeypatch, deconvolutions=True):
    """Our net, and PyTorch's, whose upsampling is a layer with weights."""
    if deconvolutions:
        monkeypatch.setattr(pytorch_nets, "Upscore", Deconvolution)
    net = pytorch_nets.create(name, NUM_CLASSES, **SMALL, **options).eval()
    return net, fcn_jax.create(name, NUM_CLASSES, **SMALL, **options)


def logits_of(net, image):
    with torch.no_grad():
        found = net(torch.tensor(np.asarray(image)).permute(0, 3, 1, 2))
    return found.permute(0, 2, 3, 1).numpy()


def compare(model, variables, net, shape):
    """The logits of both, but for where rounding parts near-ties of poolings."""
    image = cases.random_images(shape)
    ours = np.asarray(jax.jit(model.apply)(variables, image))
    theirs = logits_of(net, image)
    scale = np.abs(theirs).max()
    assert scale > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(("name", "options"), NETS, ids=str)
def test_what_is_exported_runs_in_pytorch(tmp_path, monkeypatch, name, options):
    net, model = build(name, options, monkeypatch)
    variables = cases.random_variables(model)
    path = tmp_path / "net.safetensors"
    saving.save_weights(path, variables, model)
    state = load_file(path)
    missing = net.load_state_dict(state, strict=False)
    # PyTorch counts the batches that BatchNorm has seen, and need not be told.
    assert not missing.unexpected_keys
    assert all(n.endswith("num_batches_tracked") for n in missing.missing_keys)
    shape = (1, 33, 65) if options["padding"] != "valid" else (1, 193, 200)
    compare(model, variables, net, shape)


def test_learned_upsampling_runs_in_pytorch(tmp_path, monkeypatch):
    net, _ = build("fcn8s", {"padding": "same"}, monkeypatch)
    model = fcn_jax.create(
        "fcn8s", NUM_CLASSES, padding="same", upsampling="learned", **SMALL
    )
    variables = cases.random_variables(model)  # No kernel is symmetric.
    saving.save_weights(tmp_path / "net.safetensors", variables, model)
    net.load_state_dict(load_file(tmp_path / "net.safetensors"))
    compare(model, variables, net, (1, 33, 40))


@pytest.mark.parametrize(
    ("stream", "protocol"),
    ((False, 2), (True, 2), (True, 4)),
    ids=("zip", "stream", "stream-4"),
)
@pytest.mark.parametrize(("name", "options"), NETS, ids=str)
def test_what_pytorch_saves_is_loaded(
    tmp_path, monkeypatch, name, options, stream, protocol
):
    net, model = build(name, options, monkeypatch)
    pytorch_nets.draw_weights(net)
    for module in net.children():
        if isinstance(module, Deconvolution):
            kernel = bilinear.bilinear_kernel(2 * module.factor, NUM_CLASSES)
            module.weight.data = torch.tensor(kernel.transpose(2, 3, 0, 1)).float()
    path = tmp_path / "net.pth"
    checkpoint = {"epoch": 3, "model_state_dict": net.state_dict(), "best": 0.5}
    torch.save(
        checkpoint,
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not stream,
    )
    variables, _ = fcn_jax.load_weights(path, model)
    expected = net.state_dict()
    found = saving.to_pytorch(variables, model)
    assert found.keys() == {n for n in expected if "num_batches" not in n}
    for key, x in found.items():
        np.testing.assert_array_equal(x, expected[key].numpy(), err_msg=key)


def test_pytorch_to_a_run_to_pytorch(tmp_path, monkeypatch):
    """The at-once net as it is, and with its factors folded into a plain FCN-8s."""
    net, once = build("fcn8s_atonce", {"padding": "same"}, monkeypatch, False)
    pytorch_nets.draw_weights(net)
    with torch.no_grad():
        net.score_pool4.weight /= 0.01
        net.score_pool3.weight /= 1e-4
    torch.save(net.state_dict(), tmp_path / "net.pth")
    plain, model = build("fcn8s", {"padding": "same"}, monkeypatch)
    variables, _ = fcn_jax.load_weights(tmp_path / "net.pth", once)
    saving.save_weights(tmp_path / "run", variables, once)
    variables, _ = fcn_jax.load_weights(tmp_path / "run", model)
    compare(model, variables, net, (1, 33, 40))
    saving.save_weights(tmp_path / "plain.safetensors", variables, model)
    plain.load_state_dict(load_file(tmp_path / "plain.safetensors"))
    image = cases.random_images((1, 33, 40))
    theirs = logits_of(net, image)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(
        logits_of(plain, image), theirs, rtol=0, atol=1e-5 * scale
    )


class VGG16(nn.Module):
    """The layers of torchvision's vgg16 (or vgg16_bn), narrow."""

    def __init__(self, batch_norm):
        super().__init__()
        layers, channels = [], 3
        for stage in pytorch_nets.ENCODER:
            for features in stage:
                features = pytorch_nets.scaled(features, SMALL["width"])
                layers.append(nn.Conv2d(channels, features, 3, padding=1))
                layers += [nn.BatchNorm2d(features)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = features
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(channels * 49, 8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(8, 1000),
        )

    def forward(self, x):
        x = self.classifier[0](torch.flatten(self.features(x), 1))
        return self.classifier[3](torch.relu(x))


@pytest.mark.parametrize("batch_norm", (False, True))
def test_torchvision(tmp_path, batch_norm):
    """fc7 of a photograph of 224x224: what PyTorch makes of it, through a file."""
    net = pytorch_nets.draw_weights(VGG16(batch_norm)).eval()
    torch.save(net.state_dict(), tmp_path / "vgg16.pth")
    model = fcn_jax.create(
        "fcn32s", NUM_CLASSES, padding="same", batch_norm=batch_norm, **SMALL
    )
    variables, _ = fcn_jax.load_weights(
        tmp_path / "vgg16.pth", model, preprocessing=IMAGENET
    )
    assert not np.any(variables["params"]["score_fr"]["kernel"])
    # FCN's scores of fc7, one channel a class, in the cell that sees the whole map.
    score = np.zeros((1, 1, 8, NUM_CLASSES), np.float32)
    score[0, 0, :NUM_CLASSES] = np.eye(NUM_CLASSES)
    variables["params"]["score_fr"]["kernel"] = jnp.asarray(score)
    photo = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    image = fcn_jax.preprocess(photo, IMAGENET)

    @jax.jit
    def fc7_scores(variables, image):
        _, found = model.apply(
            variables, image, capture_intermediates=True, mutable=["intermediates"]
        )
        return found["intermediates"]["score_fr"]["__call__"][0]

    ours = np.asarray(fc7_scores(variables, image))[0, 3, 3]
    theirs = np.maximum(logits_of_vector(net, image), 0)[:NUM_CLASSES]
    scale = np.abs(theirs).max()
    assert scale > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)


def logits_of_vector(net, image):
    with torch.no_grad():
        return net(torch.tensor(np.asarray(image)).permute(0, 3, 1, 2)).numpy()[0]
