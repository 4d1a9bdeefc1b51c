"""HHA of planes whose answer is known by hand, and of what is no depth."""

import numpy as np
import pytest

from fcn_jax.data import hha

CAMERA = hha.Camera(129.7, 129.7, 70.5, 53.5)
SHAPE = (106, 140)


def turned(pitch, roll=0.0):
    """From axes whose y is down to those of a camera that looks down, and leans."""
    p, r = np.radians(pitch), np.radians(roll)
    about_x = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_x)


def room(pitch=0.0, roll=0.0, planes=((0, 1, 0, 1.3), (0, -1, 0, 1.2), (0, 0, 1, 4.0))):
    """Depth (metres) and number of the plane that is seen; n . P = d, y down."""
    rows, columns = np.mgrid[1 : SHAPE[0] + 1, 1 : SHAPE[1] + 1]
    rays = np.stack(
        [
            (columns - CAMERA.cx) / CAMERA.fx,
            (rows - CAMERA.cy) / CAMERA.fy,
            np.ones(SHAPE),
        ],
        axis=-1,
    )
    axes = turned(pitch, roll)
    with np.errstate(divide="ignore"):
        found = np.stack([d / (rays @ axes @ np.array(n)) for *n, d in planes])
    found[found <= 0] = np.inf
    return found.min(axis=0), found.argmin(axis=0), axes[:, 1]


def inner(mask, width=4):
    """A mask without what is near its edge."""
    total = hha.box_sum(~mask, width)
    return mask & (total == 0)


def test_a_level_camera_in_a_room():
    """Floor 1.3 m below, ceiling 1.2 m above, wall at 4 m: 38, 218 and 128."""
    depth, plane, _ = room()
    found = hha.encode(depth, CAMERA).astype(int)
    floor, ceiling, wall = (inner(plane == n) for n in range(3))
    assert floor.sum() > 500
    assert ceiling.sum() > 500
    assert wall.sum() > 1000
    assert set(found[floor][:, 2]) == {38}
    assert set(found[ceiling][:, 2]) == {218}
    assert set(found[wall][:, 2]) == {128}
    assert set(found[wall][:, 0]) == {78}  # 31,000 over 400 cm is 77.5.
    assert set(found[floor][:, 1]) == {0}
    assert set(found[ceiling][:, 1]) == {250}
    # On the wall, a pixel is 400/129.7 cm.
    rows = np.arange(1, SHAPE[0] + 1)[:, None].repeat(SHAPE[1], axis=1)
    expected = np.floor(130 - (rows - CAMERA.cy) * 400 / 129.7 + 0.5)
    np.testing.assert_array_equal(found[wall][:, 1], expected[wall])


@pytest.mark.parametrize(("pitch", "roll"), ((10, 0), (20, 0), (12, 8), (-4, -6)))
def test_a_tilted_camera_is_turned_upright(pitch, roll):
    depth, plane, down = room(pitch, roll)
    points = hha.point_cloud(depth, CAMERA)
    nothing = np.zeros(SHAPE, bool)
    seen = hha.gravity(hha.normals(points, nothing, hha.GRAVITY_WINDOW))
    assert seen.is_seen
    error = np.degrees(np.arccos(np.clip(seen.direction @ down, -1, 1)))
    assert error < 0.6  # Windows of 21x21 bend normals where planes meet.
    found = hha.encode(depth, CAMERA).astype(int)
    floor, wall = inner(plane == 0), inner(plane == 2)
    assert abs(found[floor][:, 2] - 38).max() <= 1
    assert abs(found[floor][:, 1]).max() <= 4
    assert abs(found[wall][:, 2] - 128).max() <= 1


def test_without_gravity_a_tilted_floor_would_not_lie_level():
    """The camera's own "down" is 20 degrees off: what gravity is found for."""
    depth, plane, _ = room(20)
    nothing = np.zeros(SHAPE, bool)
    found = hha.normals(hha.point_cloud(depth, CAMERA), nothing, 3)
    angles = hha.angles(found, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(angles[inner(plane == 0)], 20, atol=1e-6)


def test_pixels_that_were_filled_in_have_a_place_and_no_surface():
    depth, *_ = room()
    missing = np.zeros(SHAPE, bool)
    missing[30:60, 50:90] = True
    found = hha.encode(depth, CAMERA, missing)
    whole = hha.encode(depth, CAMERA)
    assert found[45, 70, 2] == 218  # 180 + 38: no normal is known.
    np.testing.assert_array_equal(found[45, 70, :2], whole[45, 70, :2])
    np.testing.assert_array_equal(found[5], whole[5])


def test_of_a_wall_alone_gravity_stays():
    depth = np.full(SHAPE, 2.0)
    found = hha.encode(depth, CAMERA)
    assert set(found[..., 2].ravel()) == {128}
    assert set(found[..., 0].ravel()) == {155}
    nothing = np.zeros(SHAPE, bool)
    seen = hha.gravity(hha.normals(hha.point_cloud(depth, CAMERA), nothing, 10))
    np.testing.assert_array_equal(seen.direction, (0, 1, 0))
    assert not seen.is_seen
    # The lowest point is less than 90 cm below: the floor is taken to be 130 below.
    low = (SHAPE[0] - CAMERA.cy) * 200 / 129.7
    assert low < 90
    assert found[..., 1].min() == found[-1, 0, 1] == np.floor(130 - low + 0.5)


@pytest.mark.parametrize(
    ("metres", "byte"),
    ((0.5, 255), (1.0, 255), (1.5, 207), (2.35, 132), (5.0, 62), (10.0, 31)),
)
def test_disparity(metres, byte):
    """No nearer than 100 cm counts, and 121.6 cm are 255 already."""
    assert hha.encode(np.full((8, 9), metres))[4, 4, 0] == byte


@pytest.mark.parametrize(
    ("normal", "expected"), (((0, 1, 0), 0), ((1, 0, 0), 90), ((0, -1, 0), 180))
)
def test_angles(normal, expected):
    found = hha.angles(np.array([[normal]], float), np.array([0.0, 1.0, 0.0]))
    assert found[0, 0] == pytest.approx(expected)


def test_bytes_are_rounded_as_matlab_does():
    values = np.array([-3.0, 0.5, 1.5, 2.5, 254.5, 300.0])
    np.testing.assert_array_equal(hha._bytes(values), [0, 1, 2, 3, 255, 255])


def test_normals_are_those_of_a_fit_by_least_squares():
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 3, (9, 11))
    points = hha.point_cloud(depth, CAMERA)
    missing = rng.random((9, 11)) < 0.2
    found = hha.normals(points, missing, 2)
    for row, column in ((0, 0), (4, 5), (8, 10), (3, 1)):
        window = np.s_[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        near = points[window][~missing[window]]
        a = near / near[:, 2:]
        plane = np.linalg.lstsq(a, 1 / near[:, 2], rcond=None)[0]
        plane /= np.linalg.norm(plane)
        plane *= np.sign(plane @ points[row, column])
        np.testing.assert_allclose(found[row, column], plane, atol=1e-9)


def test_where_fewer_than_three_points_are_no_plane_is():
    points = hha.point_cloud(np.full((5, 5), 2.0), CAMERA)
    missing = np.ones((5, 5), bool)
    missing[0, :2] = False
    assert np.isnan(hha.normals(points, missing, 3)).all()
    missing[1, 0] = False
    np.testing.assert_allclose(
        hha.normals(points, missing, 3)[0, 0], (0, 0, 1), atol=1e-6
    )


def test_box_sums_end_with_the_image():
    x = np.arange(12.0).reshape(3, 4)
    found = hha.box_sum(x, 1)
    assert found[0, 0] == 0 + 1 + 4 + 5
    assert found[1, 2] == x[:, 1:].sum()
    assert found[2, 3] == 6 + 7 + 10 + 11


def test_the_camera_of_the_crop():
    assert hha.KINECT_CROPPED.cx == pytest.approx(285.58244941119034)
    assert hha.KINECT_CROPPED.cy == pytest.approx(208.73616633400465)
    assert np.zeros((480, 640))[hha.CROP].shape == (425, 560)


@pytest.mark.parametrize("value", (0.0, np.nan, -1.0, np.inf))
def test_pixels_without_depth_are_refused(value):
    depth = np.full((4, 5), 2.0)
    depth[1, 3] = value
    with pytest.raises(
        ValueError, match=r"HHA: depth \S+ at row 1, column 3 \(1 of 20 pixels"
    ):
        hha.encode(depth)


def test_missing_of_another_size():
    with pytest.raises(ValueError, match=r"missing is \[4, 4\] and depth \[4, 5\]"):
        hha.encode(np.full((4, 5), 2.0), missing=np.zeros((4, 4), bool))
