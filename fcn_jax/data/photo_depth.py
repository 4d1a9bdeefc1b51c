"""Photographs with depth beside them, for networks that see both.

Of a photograph NAME the folder has NAME.png, grey of 16 bits, pixel on pixel; 0 is
where the sensor saw nothing. NYUDv2's are such: data/images beside data/depth.
"""

import dataclasses
from pathlib import Path

import numpy as np

from fcn_jax.data import depth as depths
from fcn_jax.data import hha, image_files, rgbd
from fcn_jax.data.photos import Photo

# Of the Kinect of NYUDv2, by height and width: as it sees, and as the papers cut it.
_CAMERAS = {(480, 640): hha.KINECT, (425, 560): hha.KINECT_CROPPED}


@dataclasses.dataclass(frozen=True)
class DepthFolder:
    """Where the depth of photographs lies, and what a network sees of it.

    Attributes:
        folder: With a file for each photograph.
        inputs: Of `rgbd.INPUTS`, not "rgb".
        steps: Of a file's numbers that are a metre.
        camera: That saw it, which HHA needs; None: the Kinect of NYUDv2, whose sizes
            the images then must have.

    Raises:
        ValueError: If a network sees something else, or a metre has no steps.
    """

    folder: str
    inputs: str
    steps: float = depths.MILLIMETRES
    camera: hha.Camera | None = None

    def __post_init__(self):
        if self.inputs not in rgbd.INPUTS[1:]:
            raise ValueError(
                f"the network sees {self.inputs}; depth beside photographs is for "
                f"networks that see {', '.join(rgbd.INPUTS[1:])}. Leave --depth out."
            )
        if not 0 < self.steps < np.inf:
            raise ValueError(
                f"depth of {self.steps} steps a metre has no sense; give 1000 for "
                f"millimetres, 5000 for TUM's."
            )

    def check(self) -> None:
        """Raise unless the folder is there.

        Raises:
            FileNotFoundError: If it is not.
        """
        if not Path(self.folder).is_dir():
            raise FileNotFoundError(
                f"{self.folder} is no folder; expected one with a depth image NAME.png "
                f"for each photograph NAME."
            )

    def beside(self, photo: Photo, colours: np.ndarray) -> np.ndarray:
        """What a network sees of a photograph and its depth.

        Where the sensor saw nothing, depth is that of the nearest pixel that has one
        (`depth.filled`); HHA knows no surface there.

        Args:
            photo: Whose depth is read.
            colours: Its pixels, uint8 RGB [H, W, 3].

        Returns:
            [H, W, channels], uint8 or float32; see `rgbd`.

        Raises:
            FileNotFoundError: If it has no depth.
            ValueError: If its depth cannot be read or is not pixel on pixel, or its
                camera is not known.
        """
        path = Path(self.folder) / f"{photo.name}.png"
        if photo.path is None:
            raise ValueError(
                "an image from the standard input has no name by which its depth is "
                "found; give a file."
            )
        if not path.exists():
            raise FileNotFoundError(f"{photo.path} has no depth: {path} is not there.")
        _check_upright(photo.path)
        metres = depths.read(path) * np.float32(depths.MILLIMETRES / self.steps)
        depths.check_pair(colours, metres, str(path))
        missing = metres == 0
        if missing.all():
            raise ValueError(f"{path} has 0 everywhere: the sensor saw nothing.")
        known = depths.filled(metres) if missing.any() else metres

        def encoded() -> np.ndarray:
            return hha.encode(known, self._camera_of(path, known), missing)

        return rgbd.stacked(self.inputs, colours, lambda: known, encoded, str(path))

    def _camera_of(self, path: Path, depth: np.ndarray) -> hha.Camera:
        camera = self.camera or _CAMERAS.get((depth.shape[0], depth.shape[1]))
        if camera is None:
            height, width = depth.shape
            raise ValueError(
                f"{path} is {height}x{width} (height x width), and HHA needs its "
                f"camera: only that of NYUDv2's 480x640 and 425x560 is known. Give "
                f"--camera=fx,fy,cx,cy, pixels, counted from 0."
            )
        return camera


def camera_of(numbers: str) -> hha.Camera | None:
    """A camera as a command line says it.

    Args:
        numbers: "fx,fy,cx,cy": focal lengths, and column and row of the axis, pixels
            counted from 0, as in OpenCV's matrix; "": None.

    Raises:
        ValueError: If it is something else.
    """
    if not numbers:
        return None
    try:
        fx, fy, cx, cy = (float(number) for number in numbers.split(","))
    except ValueError as error:
        raise ValueError(
            f"--camera={numbers}: expected fx,fy,cx,cy, four numbers of pixels, such "
            f"as 518.9,519.5,324.6,252.7."
        ) from error
    if not (0 < fx < np.inf and 0 < fy < np.inf and np.isfinite([cx, cy]).all()):
        raise ValueError(
            f"--camera={numbers}: focal lengths are above 0, and all numbers finite."
        )
    return hha.Camera(fx, fy, cx + 1, cy + 1)


def _check_upright(path: Path) -> None:
    """Raise if a photograph is turned when it is read; its depth would not be.

    Raises:
        ValueError: Saying how it lies.
    """
    with image_files.open_image(path) as image:
        orientation = image_files.orientation_of(image)
    if orientation != 1:
        raise ValueError(
            f"{path} lies turned (EXIF orientation {orientation}), and depth says "
            f"nothing of how it lies; save the photograph upright, as its depth is."
        )
