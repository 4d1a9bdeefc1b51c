#!/usr/bin/env bash
# Pillow 13.0.0: Image.open says of a phone's MPO file that its format is "MPO", and
# Image.open(file, formats=["JPEG"]) opens it, but a list of formats that names "MPO"
# raises KeyError: 'MPO' as soon as no earlier name on the list has matched: for a PNG
# where MPO stands before PNG, and for bytes that are no image at all, where callers
# expect UnidentifiedImageError. So a server that allows formats by their names answers
# a text file with a failure of its own.
#
# Seen here:
#   an MPO, formats=None               MPO
#   an MPO, formats=JPEG               MPO
#   an MPO, formats=MPO                KeyError: 'MPO'
#   a PNG, formats=PNG,MPO             PNG
#   a PNG, formats=MPO,PNG             KeyError: 'MPO'
#   a text, formats=PNG,MPO            KeyError: 'MPO'
#   a text, formats=PNG                UnidentifiedImageError
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io

from PIL import Image, UnidentifiedImageError


def file_of(kind, **options):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, **options)
    return stream.getvalue()


mpo = file_of("MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
png, text = file_of("PNG"), b"roses are red"
seen = []
for name, data, formats in (
    ("an MPO", mpo, None), ("an MPO", mpo, ["JPEG"]), ("an MPO", mpo, ["MPO"]),
    ("a PNG", png, ["PNG", "MPO"]), ("a PNG", png, ["MPO", "PNG"]),
    ("a text", text, ["PNG", "MPO"]), ("a text", text, ["PNG"]),
):
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            found = image.format
    except KeyError as error:
        found = f"KeyError: {error}"
    except UnidentifiedImageError:
        found = "UnidentifiedImageError"
    asked = formats and ",".join(formats)
    print(f"{name}, formats={asked}".ljust(35), found)
    seen.append(found)
missing = "KeyError: 'MPO'"
assert seen == [
    "MPO", "MPO", missing, "PNG", missing, missing, "UnidentifiedImageError",
], seen
PYTHON
