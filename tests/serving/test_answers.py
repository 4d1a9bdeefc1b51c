"""What a network says of an image, as JSON."""

import base64
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

import fcn_jax
from fcn_jax.crf import PARAMETERS
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.runs import looking
from fcn_jax.serving.answers import Answers
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import BAD, TOO_LARGE, Refusal
from fcn_jax.serving.served import Served
from tests.support import servers
from tests.support.runs import make_folder, saved_run, tiny_config

SCENE = servers.scene()
FILE = servers.file_of(SCENE)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(make_folder(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def net(tmp_path_factory, config):
    workdir = tmp_path_factory.mktemp("run") / "run"
    saved_run(workdir, config)
    return fcn_jax.load(workdir)


@pytest.fixture(scope="module")
def answers(net):
    return Answers(Served(net))


@pytest.fixture(scope="module")
def several(tmp_path_factory, config):
    """Of a network with two heads."""
    changed = config.copy_and_resolve_references()
    with changed.ignore_type():
        changed.model.num_classes = {"things": 3, "stuff": 2}
    workdir = tmp_path_factory.mktemp("heads") / "run"
    saved_run(workdir, changed)
    return Answers(Served(fcn_jax.load(workdir)))


def image_of(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.mark.long
def test_it_is_what_predict_says(net, answers):
    points = ((0, 0), (31, 23))
    found = answers.answer(FILE, Question(labels=True, points=points))
    labels, probs = net.predict(SCENE), net.predict_probs(SCENE)
    with image_of(found["labels"]) as png:
        np.testing.assert_array_equal(np.asarray(png), labels)
        assert png.getpalette()[:6] == net.heads[0].palette[:2].ravel().tolist()
    assert (found["width"], found["height"], found["crf"]) == (32, 24, False)
    shares = np.bincount(labels.ravel(), minlength=3) / labels.size
    assert len(np.flatnonzero(shares)) > 1
    assert found["classes"] == {
        str(i): round(share, 6) for i, share in enumerate(shares) if share
    }
    for pixel, (x, y) in zip(found["pixels"], points, strict=True):
        assert (pixel["x"], pixel["y"]) == (x, y)
        assert pixel["class"] == str(labels[y, x])
        told = [pixel["probabilities"][str(i)] for i in range(3)]
        np.testing.assert_allclose(told, probs[y, x], atol=1e-3)
    json.dumps(found, allow_nan=False)


def test_what_is_not_asked_for_is_left_out(answers):
    found = answers.answer(FILE, Question())
    wanted = {"width", "height", "crf", "size", "classes", "seconds"}
    assert set(found) == wanted


def test_the_picture_is_the_image_as_it_was_seen(answers):
    image = Image.fromarray(SCENE)
    exif = image.getexif()
    exif[0x0112] = 6
    found = answers.answer(
        servers.file_of(image, "TIFF", exif=exif), Question(picture=True)
    )
    with image_of(found["picture"]) as seen:
        assert (seen.format, seen.size) == ("JPEG", (24, 32))
        grey = np.asarray(seen.convert("L"), int)
    assert grey[16:].mean() > grey[:16].mean() + 60


def asked_of(monkeypatch):
    """How often a network is asked from now on."""
    calls = []
    strips = looking.strips

    def counted(net, *given):
        calls.append(net.config.crf.parameters)
        return strips(net, *given)

    monkeypatch.setattr(looking, "strips", counted)
    return calls


def test_the_next_click_does_not_ask_the_network(net, monkeypatch):
    answers, calls = Answers(Served(net)), asked_of(monkeypatch)
    first = answers.answer(FILE, Question(points=((3, 4),)))
    again = answers.answer(FILE, Question(points=((3, 4),), labels=True))
    assert calls == [""]
    assert first["pixels"] == again["pixels"]
    answers.answer(servers.file_of(servers.scene(seed=1)), Question())
    answers.answer(FILE, Question(size=64))
    assert calls == [""] * 3


def test_without_room_the_network_is_asked_again(net, monkeypatch):
    answers, calls = Answers(Served(net), most_kept=0), asked_of(monkeypatch)
    for _ in range(2):
        found = answers.answer(FILE, Question(points=((3, 4),)))
    assert calls == ["", ""]
    assert sum(found["pixels"][0]["probabilities"].values()) == pytest.approx(1, 0.01)


def test_near_sizes_share_what_is_compiled(net):
    answers = Answers(Served(net))
    for height, width in ((33, 40), (40, 33), (64, 64), (50, 60)):
        answers.answer(servers.file_of(servers.scene(height, width)), Question())
    assert len(answers._served.nets[False]._probs) == 1


@pytest.mark.long
def test_the_crf_is_switched_and_shares_the_variables(net, monkeypatch):
    net.predict_probs(SCENE)  # What it has compiled is not that of another CRF.
    answers, calls = Answers(Served(net)), asked_of(monkeypatch)
    plain = answers.answer(FILE, Question(labels=True))
    smooth = answers.answer(FILE, Question(labels=True, crf=True))
    assert calls == ["", "pydensecrf"]
    assert (plain["crf"], smooth["crf"]) == (False, True)
    assert plain["labels"] != smooth["labels"]
    nets = answers._served.nets
    assert nets[True].variables is nets[False].variables is net.variables
    assert net.config.crf.parameters == ""  # The caller's own is as it was.


def test_the_crf_of_the_run_is_on(net, config, monkeypatch):
    monkeypatch.setattr(net, "config", config.copy_and_resolve_references())
    net.config.crf.parameters = "deeplab"
    assert Served(net).about()["crf"] == "deeplab"
    assert Served(net).about()["crf_default"] is True
    given = Served(net, "deconvnet")
    assert given.about()["crf"] == "deconvnet"
    assert given.completed(Question()).crf is True
    assert given.nets[False].config.crf.parameters == ""


def test_a_file_of_parameters_is_named_without_its_folders(net, tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"parameters": PARAMETERS["deeplab"]}))
    assert Served(net, str(path)).about()["crf"] == "found.json"


def test_at_another_size(net, answers):
    found = answers.answer(FILE, Question(size=64, labels=True))
    strips = looking.strips(net, SCENE, looking.Options(size=64))
    labels = np.concatenate([strip.argmax(-1) for _, strip in strips])
    with image_of(found["labels"]) as png:
        np.testing.assert_array_equal(np.asarray(png), labels)
    assert found["size"] == 64
    assert Served(net, size=64).completed(Question()).size == 64


def test_what_is_served_is_described(net, answers):
    about = answers.about()
    assert (about["run"], about["model"], about["step"]) == ("run", "fcn8s", 5)
    assert about["heads"][0]["classes"][1] == {
        "label": 1, "name": "1", "colour": "#800000",
    }  # fmt: skip
    assert str(net.workdir) not in json.dumps(about)


@pytest.mark.long
def test_several_heads(several):
    found = several.answer(FILE, Question(labels=True, points=((1, 2),)))
    assert set(found["classes"]) == set(found["labels"]) == {"things", "stuff"}
    (pixel,) = found["pixels"]
    assert set(pixel["probabilities"]["stuff"]) == {"0", "1"}
    most = max(pixel["probabilities"]["things"].items(), key=lambda each: each[1])
    assert pixel["class"]["things"] == most[0]
    assert several.about()["crf"] == ""
    for question in (Question(crf=True), Question(size=64)):
        with pytest.raises(Refusal, match="crf and size are for networks with one"):
            several.answer(FILE, question)


def test_several_heads_see_no_tiles(several):
    large = np.broadcast_to(np.uint8(0), (2001, 2000, 3))
    match = "an image of 2000x2001 pixels is seen by tiles, which are for networks with"
    with pytest.raises(Refusal, match=match):
        several._served.ask(large, Question(), 0)


def refused(answers, question, match, status):
    with pytest.raises(Refusal, match=match) as refusal:
        answers.answer(FILE, question)
    assert refusal.value.status == status


def test_pixels_beyond_the_image_are_refused_before_the_network(net, monkeypatch):
    calls = asked_of(monkeypatch)
    refused(
        Answers(Served(net)), Question(points=((32, 0),)), "x=32, y=0 is not in", BAD
    )
    assert calls == []


def test_too_many_pixels(net):
    small = Answers(Served(net, max_pixels=767))
    refused(small, Question(), "32x24 = 768 pixels, and 767 is the most", TOO_LARGE)
    exact = Answers(Served(net, max_pixels=768))
    match = "would be seen at 320x240 pixels, and 768 is the most; give a smaller"
    refused(exact, Question(size=320), match, TOO_LARGE)


@pytest.mark.parametrize(
    ("text", "error"),
    (
        ("RESOURCE_EXHAUSTED: Out of memory allocating 6 bytes", Refusal),
        ("INTERNAL: no", jax.errors.JaxRuntimeError),
    ),
)
def test_too_little_memory_is_the_image_s_fault(net, monkeypatch, text, error):
    def fail(*_):
        raise jax.errors.JaxRuntimeError(text)

    monkeypatch.setattr(looking, "strips", fail)
    with pytest.raises(error, match="does not suffice for 32x24 pixels; send|INTERNAL"):
        Answers(Served(net)).answer(FILE, Question())


def test_an_image_that_is_none_for_the_network_is_its_sender_s_fault(net, monkeypatch):
    def fail(*_):
        raise ValueError("proposals: the image is 3x3")

    monkeypatch.setattr(looking, "strips", fail)
    match = "the image is none for this network: proposals: the image is 3x3"
    refused(Answers(Served(net)), Question(), match, BAD)


def test_scores_that_are_no_numbers_are_null(net, monkeypatch):
    broken = np.full((24, 32, 3), np.nan, np.float32)
    monkeypatch.setattr(looking, "strips", lambda *_: [(0, broken)])
    found = Answers(Served(net)).answer(FILE, Question(points=((0, 0),)))
    assert set(found["pixels"][0]["probabilities"].values()) == {None}


def test_networks_and_settings_that_cannot_be_served(net, several, monkeypatch):
    with pytest.raises(ValueError, match="and flip=True are for whole images; windows"):
        fcn_jax.load(net.workdir, flip=True, **{"inference.method": "tiles"})
    with pytest.raises(ValueError, match="CRF parameters 'dense' are not known"):
        Served(net, "dense")
    two = several._served.nets[False]
    with pytest.raises(ValueError, match="--size=64 is for networks with one head; .*"):
        Served(two, size=64)
    with pytest.raises(ValueError, match="crf.parameters is for networks with one"):
        Served(two, "deeplab")
    for name, sees in (("nyud_rgbd", "4 channels"), ("nyud_hha", "HHA")):
        monkeypatch.setattr(net, "preprocessing", PREPROCESSING[name])
        with pytest.raises(ValueError, match=f"sees {sees}; images that are sent are"):
            Served(net)
