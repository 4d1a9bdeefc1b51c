r"""Predict photographs with a trained network: no masks, lists or config are needed.

fcn_jax predict runs/x photo.jpg --out=predicted
fcn_jax predict runs/x photos/ more/*.png --out=predicted --flip --scales=0.75,1,1.25
fcn_jax predict runs/x scene.tif --out=predicted --crf=pydensecrf --probs=npz
find photos -name '*.jpg' | fcn_jax predict runs/x - --out=predicted --json
fcn_jax predict runs/x clip.mp4 --out=predicted --every=5 --frames
fcn_jax predict runs/siftflow_fcn8s photos/ --out=predicted --head=sem --crf=deeplab
fcn_jax predict runs/nyud photos/ --out=predicted --depth=depth --camera=525,525,319,239

Images are read as they are seen (EXIF orientation applied), of any size and kind;
"-" is an image, or paths a line each, from the standard input. Written into --out:
labels/NAME.png (palette PNGs; of a GeoTIFF NAME.tif too, with its coordinates),
overlays/NAME.png with a legend, probs/ if asked for, and predictions.jsonl, which
--json prints too: size and each class's share of the pixels. Images above 4 million
pixels, or beyond --tile, are seen by overlapping tiles.
--depth is for nets that see it: of photos/NAME.jpg, depth/NAME.png, grey of 16 bits.
Of a video (the extra [video]) overlays/NAME.mp4 is written, as large, as fast and
without its sound; of one frame in N with --every=N, labels/NAME/NUMBER.png with
--frames; --json prints a line a frame. Of one that breaks off, what was read is kept.
Started again, it goes on where it was; several processes may share images and --out.
The exit status is 1 where an image or a video could not be read whole; the others are
predicted all the same.

A net of fcn_jax pack stands for a run by its name or file. Another file of weights is
made a run first: fcn_jax convert FILE DIR --model=NAME.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from fcn_jax import crf
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.data import photo_depth, photos
from fcn_jax.data.hha import Camera
from fcn_jax.data.image_files import PHOTO_ENDINGS
from fcn_jax.data.videos import VIDEO_ENDINGS, check_installed, is_video
from fcn_jax.runs import looking, predicted, prediction, trained, videos
from fcn_jax.weights import pretrained

_USAGE = "usage: fcn_jax predict RUN IMAGE|FOLDER|VIDEO|- ... --out=DIR"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("out", None, "Where to write.")
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")
    flags.DEFINE_enum(
        "probs", "", ["", *predicted.PROBS], "Write class probabilities too."
    )
    flags.DEFINE_bool("overlays", True, "Write the predictions over the images.")
    flags.DEFINE_string("head", "", "Of a net with several heads, the one to predict.")
    flags.DEFINE_bool("json", False, "Print a line of JSON for each image.")
    flags.DEFINE_string("crf", "", f"Dense CRF: {', '.join(crf.PARAMETERS)}, or JSON.")
    flags.DEFINE_string("scales", None, "Input scales to average; the run's own.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_integer("size", 0, "Longer side that the net sees; 0: the image's.")
    flags.DEFINE_integer(
        "tile", None, "Side of tiles, for images beyond it; 0: all are seen whole."
    )
    flags.DEFINE_float("overlap", 0.25, "Of tiles, as a share of their side.")
    flags.DEFINE_string("depth", "", "Folder of depth images, NAME.png of each.")
    flags.DEFINE_float("depth_steps", 1000, "Of their numbers that are a metre.")
    flags.DEFINE_string(
        "camera", "", "fx,fy,cx,cy of depth, pixels from 0, for HHA; NYUDv2's Kinect."
    )
    flags.DEFINE_integer("every", 1, "Of a video one frame in as many is taken.")
    flags.DEFINE_bool("frames", False, "Write labels of each frame of a video.")
    flags.DEFINE_bool("overwrite", False, "Remove the predictions in --out first.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be a run, an image and --out.

    Args:
        values: Of the flags.
        operands: Run and images.

    Raises:
        flags.Error: If there are not, what stands for the run is a file, or a camera
            has no depth.
    """
    if not values.out:
        raise flags.Error(f"--out is missing; {_USAGE}")
    if len(operands) < 2:
        missing = "an image is missing" if operands else "run and image are missing"
        raise flags.Error(f"{missing}; {_USAGE}")
    if values.every < 1:
        raise flags.Error(f"--every={values.every} is not positive; 1 takes each frame")
    if values.camera and not values.depth:
        raise flags.Error(f"--camera={values.camera} saw depth; give --depth=DIR too")
    if Path(operands[0]).is_file() and pretrained.packed(operands[0]) is None:
        raise flags.Error(
            f"{operands[0]} is a file where a run's directory is needed; of weights "
            f"fcn_jax convert {operands[0]} DIR --model=NAME makes one"
        )


def run_flags(values: flags.FlagValues, run: str, *given: str) -> None:
    """Predict as the command line says.

    Args:
        values: Of the flags.
        run: Directory of the run.
        *given: Images.

    Raises:
        SystemExit: With 1, if an image was passed over.
    """
    camera = photo_depth.camera_of(values.camera)
    endings = (*PHOTO_ENDINGS, *VIDEO_ENDINGS)
    listed = photos.listed(given, sys.stdin.buffer, Path(values.out), endings)
    clips = [photo for photo in listed if is_video(photo.path)]
    if clips:
        check_installed()
        if values.depth:
            raise ValueError(
                f"--depth={values.depth}: videos have no depth beside them, such as "
                f"{clips[0].path}; give photographs."
            )
    pictures = [photo for photo in listed if not is_video(photo.path)]
    scales = None
    if values.scales:
        scales = command_line.parse_numbers("scales", values.scales)
    changes = {"crf.parameters": values.crf} if values.crf else {}
    net = trained.load(run, values.step, None, scales, values.flip, **changes)
    options = _options(values, net, camera)
    if values.head:
        net = trained.with_head(net, values.head)
    tell = (lambda line: print(json.dumps(line), flush=True)) if values.json else None
    out, overwrite = values.out, values.overwrite
    tally = prediction.predict(net, pictures, out, options, overwrite, tell)
    if clips:
        frames = videos.Frames(values.every, values.frames)
        of_clips = videos.predict(net, clips, out, options, frames, tell)
        tally = tally.with_those_of(of_clips)
    speed = tally.done / tally.seconds if tally.seconds else 0
    parts = [f"{tally.done} images in {tally.seconds:.1f} s ({speed:.1f} a second)"]
    parts += [f"{tally.before} were there already"] if tally.before else []
    parts += [f"{len(tally.failed)} passed over"] if tally.failed else []
    print(f"{'; '.join(parts)}; in {values.out}", file=sys.stderr)
    if tally.failed:
        sys.exit(1)


def _options(
    values: flags.FlagValues, net: trained.TrainedNet, camera: Camera | None
) -> looking.Options:
    """How images are looked at, with depth beside them if there is any."""
    depth = None
    if values.depth:
        sees = net.preprocessing.channels_given.lower()
        folder = str(Path(values.depth).resolve())
        depth = photo_depth.DepthFolder(folder, sees, values.depth_steps, camera)
    return looking.Options(
        overlays=values.overlays,
        probs=values.probs,
        size=values.size,
        tile=values.tile,
        overlap=values.overlap,
        depth=depth,
    )


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
    memory="set --tile=512, or leave the CRF out",
    out="directory",
)
