"""The page of fcn_jax serve in a headless Chromium: every way in, clicks, keys."""

import io

import numpy as np
import pytest
from PIL import Image

import fcn_jax
from fcn_jax.runs import trained
from fcn_jax.serving.answers import Answers
from fcn_jax.serving.questions import Question
from fcn_jax.serving.served import Served
from tests.support import browser, contrast, servers
from tests.support.runs import make_folder, saved_run, tiny_config

CHROMIUM = browser.find()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here (Debian: the package chromium)"
)
NAMES = ("ground", "car \"<b>x</b>\" & 'y'", "tree")
SAID = "document.getElementById('said').textContent"
WHERE = "document.getElementById('where').textContent"
WRONG = "document.getElementById('wrong')"
STACK = "document.getElementById('stack')"
PICK = "document.querySelectorAll('.pick')"
READY = "document.body.dataset.ready === 'yes'"
LOOKED = f"{SAID}.includes('×')"
# Colours of the labels as they are drawn, by how often.
DRAWN = """(() => {
  const shown = document.getElementById('overlay');
  const c = new OffscreenCanvas(shown.width, shown.height);
  const pen = c.getContext('2d', {willReadFrequently: true});
  pen.drawImage(shown, 0, 0);
  const found = {};
  const data = pen.getImageData(0, 0, c.width, c.height).data;
  for (let i = 0; i < data.length; i += 4) {
    const key = data[i + 3] ? data.slice(i, i + 3).join() : 'none';
    found[key] = (found[key] || 0) + 1;
  }
  return found;
})()"""
# A file that a script makes, of the bytes in an array.
FILE = "new File([new Uint8Array({})], 'a.png', {{type: 'image/png'}})"


@pytest.fixture(scope="module")
def chromium():
    page = browser.Page(
        CHROMIUM,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    )
    yield page
    page.close()


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run") / "run"
    config = tiny_config(make_folder(tmp_path_factory.mktemp("data")))
    saved_run(workdir, config)
    net = fcn_jax.load(workdir)
    (head,) = net.heads
    net.heads = (type(head)("", NAMES, head.palette),)
    return net


@pytest.fixture(scope="module")
def address(net):
    answers = Answers(Served(net))
    for crf in (False, True):  # Compiled here, for which no browser waits.
        answers.answer(servers.file_of(servers.scene()), Question(crf=crf))
    with servers.running(answers) as address:
        yield address


@pytest.fixture
def opened(chromium, address):
    chromium.visit(address)
    chromium.until(READY)
    yield chromium
    assert chromium.problems == []


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "scene.png"
    path.write_bytes(servers.file_of(servers.scene()))
    return path


@pytest.fixture
def looked(opened, photo):
    """The page once it has looked at an image."""
    opened.attach("document.getElementById('file')", photo)
    opened.until(LOOKED)
    return opened


def by_colour(net, labels):
    """How often each colour is to be drawn; black lets the image through."""
    counts = np.bincount(labels.ravel(), minlength=3)
    colours = [",".join(map(str, each)) for each in net.heads[0].palette[:3].tolist()]
    colours[0] = "none"
    return {colour: n for colour, n in zip(colours, counts.tolist(), strict=True) if n}


def test_it_opens_and_says_what_it_serves(opened):
    assert opened.ask("document.title") == "run: fcn_jax serve"
    about = opened.ask("document.getElementById('about').textContent")
    assert about == "fcn8s, step 5, 3 classes"
    names = opened.ask(f"Array.from({PICK}).map(b => b.textContent)")
    assert names == list(NAMES)  # Markup in a name is none.
    assert opened.ask("document.getElementById('view').hidden")


def test_an_image_is_shown_with_its_labels(looked, net):
    labels = net.predict(servers.scene())
    assert looked.ask(DRAWN) == by_colour(net, labels)
    assert looked.ask(SAID).startswith("32 × 24 pixels, ")
    natural = "[document.getElementById('photo').naturalWidth, {0}.width]"
    overlay = "document.getElementById('overlay')"
    assert looked.ask(natural.format(overlay)) == [32, 32]
    box = looked.ask(f"[{STACK}.clientWidth, {STACK}.clientHeight]")
    assert box[0] / box[1] == pytest.approx(32 / 24, 0.01)
    shares = np.bincount(labels.ravel(), minlength=3) / labels.size
    rows = "Array.from(document.querySelectorAll('#classes tr'))"
    told = looked.ask(
        f"{rows}.map(r => [r.cells[0].textContent, r.cells[2].innerText])"
    )
    ranked = sorted(range(3), key=lambda i: -shares[i])
    assert told == [[NAMES[i], f"{100 * shares[i]:.1f} %"] for i in ranked]


def test_a_click_tells_the_probabilities_of_a_pixel(looked, net):
    probs = net.predict_probs(servers.scene())
    y, x = np.unravel_index(probs.max(-1).argmin(), probs.shape[:2])  # Least sure.
    probs = probs[y, x]
    looked.click(STACK, (x + 0.5) / 32, (y + 0.5) / 24)
    looked.until(f"{WHERE}.includes('%')")
    assert looked.ask(WHERE).startswith(f"x {x}, y {y}: {NAMES[probs.argmax()]}, ")
    rows = "Array.from(document.querySelectorAll('#pixel tr'))"
    told = looked.ask(
        f"{rows}.map(r => [r.cells[0].textContent, r.cells[2].innerText])"
    )
    shown = [i for i in np.argsort(-probs) if probs[i] >= 6e-4]
    assert len(shown) > 1
    assert [name for name, _ in told][: len(shown)] == [NAMES[i] for i in shown]
    for (_, text), i in zip(told, shown, strict=False):
        assert float(text.split()[0]) == pytest.approx(100 * probs[i], abs=0.11)
    assert sum(float(text.split()[0]) for _, text in told) == pytest.approx(100, 0.01)
    assert not looked.ask("document.getElementById('cross').hidden")


def test_the_keys_move_the_cross_and_ask(looked):
    looked.ask(f"{STACK}.focus()")
    looked.press("ArrowRight", 39)
    looked.press("ArrowUp", 38)
    assert looked.ask(WHERE) == "x 17, y 11; Enter asks"
    for _ in range(40):
        looked.press("ArrowLeft", 37)
    assert looked.ask(WHERE) == "x 0, y 11; Enter asks"
    looked.press("Enter", 13, "\r")
    looked.until(f"{WHERE}.startsWith('x 0, y 11: ')")


def test_the_crf_changes_the_labels_and_the_pixel(looked, net):
    switch = "document.getElementById('crf')"
    assert looked.ask(f"{switch}.checked") is False
    both = net, trained.with_crf(net, "pydensecrf")
    asked = [each.predict_probs(servers.scene()) for each in both]
    y, x = np.unravel_index(np.abs(asked[0] - asked[1]).max(-1).argmax(), (24, 32))
    looked.click(STACK, (x + 0.5) / 32, (y + 0.5) / 24)
    looked.until(f"{WHERE}.includes('%')")
    without = looked.ask(WHERE)
    looked.click(switch)
    looked.until(f"{WHERE}.includes('%') && {WHERE} !== {without!r}")
    assert looked.ask(DRAWN) == by_colour(net, asked[1].argmax(-1))
    looked.click(switch)
    looked.until(f"{WHERE} === {without!r}")
    assert looked.ask(DRAWN) == by_colour(net, net.predict(servers.scene()))


def test_a_class_alone_and_how_strong_labels_are(looked, net):
    before = looked.ask(DRAWN)
    name = looked.ask(f"{PICK}[0].textContent")
    looked.click(f"{PICK}[0]")
    assert looked.ask(f"{PICK}[0].getAttribute('aria-pressed')") == "true"
    colour = ",".join(map(str, net.heads[0].palette[NAMES.index(name)].tolist()))
    count = int((net.predict(servers.scene()) == NAMES.index(name)).sum())
    assert looked.ask(DRAWN) == {colour: count, "none": 24 * 32 - count}
    looked.click(f"{PICK}[0]")
    assert looked.ask(DRAWN) == before
    looked.ask("document.getElementById('opacity').focus()")
    looked.press("End", 35)
    assert looked.ask("document.getElementById('overlay').style.opacity") == "1"


def test_at_another_size(looked):
    looked.ask(
        "(() => { const s = document.getElementById('size'); s.value = '320';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    looked.until(f"{SAID}.startsWith('looking')")
    looked.until(LOOKED)
    assert looked.ask("document.getElementById('overlay').width") == 32


@pytest.mark.parametrize("how", ("paste", "drop"))
def test_an_image_that_is_pasted_or_dropped(opened, photo, how):
    made = {
        "paste": "new ClipboardEvent('paste', {clipboardData: t, bubbles: true})",
        "drop": "new DragEvent('drop', {dataTransfer: t, bubbles: true})",
    }
    opened.ask(
        "(() => { const t = new DataTransfer();"
        f"t.items.add({FILE.format(list(photo.read_bytes()))});"
        f"document.body.dispatchEvent({made[how]}); }})()"
    )
    opened.until(LOOKED)
    assert opened.ask("document.getElementById('photo').naturalWidth") == 32


def test_the_camera(opened):
    opened.click("document.getElementById('camera')")
    opened.until("document.getElementById('video').videoWidth > 0")
    opened.click("document.getElementById('shoot')")
    opened.until(LOOKED)
    assert opened.ask("document.getElementById('live').hidden")
    assert opened.ask("document.getElementById('video').srcObject === null")
    assert opened.ask("document.getElementById('photo').naturalWidth") > 100


def test_what_is_no_image_is_told_and_the_last_one_stays(looked, tmp_path):
    # Chromium itself notes an answer of 415 in the console.
    path = tmp_path / "poem.txt"
    path.write_text("roses are red")
    before = looked.ask(DRAWN)
    looked.attach("document.getElementById('file')", path)
    looked.until(f"!{WRONG}.hidden")
    said = looked.ask(f"{WRONG}.textContent")
    assert said.startswith("what came is no image (13 bytes); send one as JPEG, ")
    assert looked.ask(DRAWN) == before
    (problem,) = looked.problems
    assert "415" in problem["entry"]["text"]
    looked.problems.clear()
    looked.click(STACK)
    looked.until(f"{WHERE}.includes('%') && {WRONG}.hidden")


def test_what_is_too_large_is_not_sent(opened, tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(20_000_001)
    opened.attach("document.getElementById('file')", path)
    opened.until(f"!{WRONG}.hidden")
    text = "The file has 20,000,001 bytes, and 20,000,000 is the most."
    assert opened.ask(f"{WRONG}.textContent") == text


def test_the_keyboard_reaches_everything(looked):
    wanted = looked.ask(
        "Array.from(document.querySelectorAll('a[href], button, input, select,"
        " [tabindex]')).filter(e => !e.disabled && e.offsetParent).length"
    )
    reached = 0
    for _ in range(wanted + 5):
        looked.press("Tab", 9)
        reached += looked.ask("document.activeElement !== document.body")
        if reached == wanted:
            break
    assert reached == wanted
    names = looked.ask(
        "Array.from(document.querySelectorAll('button, input, select')).every(e =>"
        " e.textContent.trim() || e.ariaLabel || e.labels.length)"
    )
    assert names


def test_dark_is_dark_and_text_can_be_read(looked):
    looked.click(STACK)
    looked.until(f"{WHERE}.includes('%')")
    for dark in (False, True):
        looked.dark(dark)
        with Image.open(io.BytesIO(looked.picture())) as picture:
            seen = np.asarray(picture.convert("L"))
        assert (seen[-1, 2] < 50) == dark
        ratio, whose = looked.ask(contrast.LEAST)
        assert 4.5 <= ratio <= 21, (ratio, whose)
    looked.dark(False)


def test_several_heads_are_chosen(chromium):
    """The heads of a made-up network; what it found differs between them."""

    class Two:
        def about(self):
            heads = [
                {"name": name, "classes": [{"label": 1, "name": "a", "colour": colour}]}
                for name, colour in (("one", "#ff0000"), ("two", "#0000ff"))
            ]
            return {
                "run": "r", "model": "m", "step": 1, "heads": heads, "crf": "",
                "crf_default": False, "size_default": 0, "max_pixels": 99,
            }  # fmt: skip

        def answer(self, data, question):
            palette = {"one": (255, 0, 0), "two": (0, 0, 255)}
            labels = {}
            for name, colour in palette.items():
                found = Image.new("P", (4, 3), 1)
                found.putpalette([0, 0, 0, *colour])
                labels[name] = servers.base64_of(found, "PNG")
            return {
                "width": 4, "height": 3, "seconds": 0.1, "labels": labels,
                "classes": {"one": {"a": 1}, "two": {"a": 1}},
                "picture": servers.base64_of(Image.new("RGB", (4, 3)), "JPEG"),
            }  # fmt: skip

    with servers.running(Two()) as address:
        chromium.visit(address)
        chromium.until(READY)
        assert chromium.ask("document.getElementById('crf-row').hidden")
        file = FILE.format([1, 2])
        chromium.ask(
            f"(() => {{ const t = new DataTransfer(); t.items.add({file});"
            "dispatchEvent(new ClipboardEvent('paste', {clipboardData: t})); })()"
        )
        chromium.until(LOOKED)
        assert chromium.ask(DRAWN) == {"255,0,0": 12}
        chromium.ask(
            "(() => { const h = document.getElementById('head'); h.value = '1';"
            "h.dispatchEvent(new Event('change')); })()"
        )
        chromium.until(f"'0,0,255' in {DRAWN}")
    assert chromium.problems == []
