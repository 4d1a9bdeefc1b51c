"""Videos of plain frames, each of another brightness."""

from fractions import Fraction

import numpy as np

SIZE = (48, 64)


def levels(count):
    """The brightness of each frame."""
    return [10 + 7 * (number % 20) for number in range(count)]


def picture(level, size=SIZE):
    """A frame: its upper left quarter is bright."""
    image = np.full((*size, 3), level, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = 235
    return image


def write(
    path, count=10, size=SIZE, codec="libx264", noise=False, metadata=(), **options
):
    """A video file, 10 frames a second; with noise it is long enough to be cut."""
    import av

    rng = np.random.default_rng(0)

    path.parent.mkdir(parents=True, exist_ok=True)
    container = av.open(str(path), "w", options=options)
    container.metadata.update(metadata)
    stream = container.add_stream(codec, rate=Fraction(10), options={"g": "5"})
    stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
    for level in levels(count):
        image = picture(level, size)
        if noise:
            image[::2] = rng.integers(0, 256, image[::2].shape, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    container.close()
    return path


def turn(path):
    """Have a camera's MP4 say that it is to be seen a quarter clockwise.

    By the matrix of its track header, as the QuickTime file format has it: x' = -y and
    y' = x, both downwards; a phone that is held upright writes this.
    """
    plain = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]
    turned = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    before, after = (np.array(m, ">i4").tobytes() for m in (plain, turned))
    content = path.read_bytes()
    place = content.index(before, content.index(b"tkhd"))
    path.write_bytes(content[:place] + after + content[place + len(before) :])
    return path


def cut(path, share=0.5):
    """Cut the end off a file."""
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path
