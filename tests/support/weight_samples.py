"""Small files of weights, made by hand, and mutations of them."""

import io
import json
import random
import struct
import zipfile

import numpy as np

from tests.support.paths import GOLDEN

MAGIC = 0x1950A86A20F9469CFC6C


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def blob(x, legacy=False, field=None):
    """A BlobProto; `field` 5 is float32, 8 float64, 12 raw float16."""
    x = np.asarray(x)
    field = field or {"f4": 5, "f8": 8, "f2": 12}[x.dtype.str[1:]]
    if legacy:
        shape = (1,) * (4 - x.ndim) + x.shape
        out = b"".join(number(i + 1, n) for i, n in enumerate(shape))
    else:
        out = message(7, message(1, b"".join(varint(n) for n in x.shape)))
    return out + (number(10, 2) if field == 12 else b"") + message(field, x.tobytes())


def layer(name, kind, *blobs, tops=1):
    """Of today, field 100 of the net."""
    head = message(1, name.encode()) + message(2, kind.encode())
    head += b"".join(message(4, b"top") for _ in range(tops))
    return message(100, head + b"".join(message(7, x) for x in blobs))


def layer_v1(name, kind, *blobs, tops=1, extra=b""):
    """Of 2014, field 2 of the net."""
    head = b"".join(message(3, b"top") for _ in range(tops)) + message(4, name.encode())
    head += number(5, kind)
    return message(2, head + b"".join(message(6, x) for x in blobs) + extra)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    return b"J" + struct.pack("<i", value)


def tensor(key, shape, strides, length, offset=0, storage="FloatStorage"):
    """The pickle's operations that rebuild a tensor."""
    ints = [b"(" + b"".join(map(integer, xs)) + b"t" for xs in (shape, strides)]
    pid = b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text(key)
    pid += text("cpu") + integer(length)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"tQ" + integer(offset)
        + ints[0] + ints[1] + b"\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


def state_dict(**tensors):
    items = b"".join(text(name) + value for name, value in tensors.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def pth_zip(pickled, storages, compression=zipfile.ZIP_STORED, order=b"little"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("net/data.pkl", pickled)
        archive.writestr("net/byteorder", order)
        for key, data in storages.items():
            archive.writestr(f"net/data/{key}", data)
    return out.getvalue()


def pth_stream(pickled, storages, itemsize=4):
    magic = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
    keys = b"\x80\x02](" + b"".join(map(text, storages)) + b"e."
    system = b"\x80\x02}" + text("little_endian") + b"\x88s."
    out = magic + b"\x80\x02" + integer(1001) + b"." + system + pickled + keys
    for data in storages.values():
        out += struct.pack("<q", len(data) // itemsize) + data
    return out


def safetensors(header, data):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def npz(compressed=False, **arrays):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


def whole():
    """One good file of every format made here, by format."""
    w = np.arange(24, dtype="<f4").reshape(2, 3, 2, 2)
    b = np.arange(2, dtype="<f8")
    pickled = state_dict(
        w=tensor("0", (2, 3, 2, 2), (12, 4, 2, 1), 24), b=tensor("1", (2,), (1,), 2)
    )
    storages = {"0": w.tobytes(), "1": b.astype("<f4").tobytes()}
    header = {
        "w": {"dtype": "F32", "shape": [2, 3, 2, 2], "data_offsets": [0, 96]},
        "b": {"dtype": "F64", "shape": [2], "data_offsets": [96, 112]},
    }
    return {
        "caffemodel": layer("conv", "Convolution", blob(w), blob(b))
        + layer_v1("old", 4, blob(w, legacy=True)),
        "pth_zip": pth_zip(pickled, storages),
        "pth_stream": pth_stream(pickled, storages),
        "safetensors": safetensors(header, w.tobytes() + b.tobytes()),
        "keras": (GOLDEN / "keras.h5").read_bytes(),
        "npz": npz(w=w, b=b),
        "npz_compressed": npz(compressed=True, w=w, b=b),
    }


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to four flips, cuts, splices, edits of lengths, or random bytes."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and rng.random() < 0.3:
            del out[at:]
        elif kind == 2:
            start = rng.randrange(len(out) + 1)
            out[at:at] = out[start : start + rng.randrange(64)]
        elif kind == 3:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice(
                (0, 1, 127, 128, 255, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
            )
            out[at : at + size] = (value % 256**size).to_bytes(size, "little")
        elif kind == 4:
            out[at : at + rng.randrange(32)] = rng.randbytes(rng.randrange(32))
        else:
            del out[at : at + rng.randrange(16)]
    return bytes(out)
