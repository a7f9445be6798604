"""Where a camera stands, and how what it sees falls on the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_NEAR, _FAR = 0.05, 60.0


@dataclass(frozen=True, eq=False)
class Frame:
    """A pinhole camera over a square frame; y is up in the world and down in the frame.

    Attributes:
        rotation: (3, 3), rows are the camera's right, up and backward directions.
        position: (3,) of the camera.
        focal: in pixels.
        centre: x and y of the optical axis in pixels, possibly outside of the frame.
        size: of a side in pixels.
    """

    rotation: Matrix
    position: Matrix
    focal: float
    centre: tuple[float, float]
    size: int

    def project(self, points: NDArray[np.floating]) -> Matrix:
        """Return the pixels (N, 2) where points (N, 3) in front of the camera fall."""
        seen = (np.asarray(points, dtype=np.float64) - self.position) @ self.rotation.T
        depth = np.maximum(-seen[:, 2], 1e-6)
        x = self.focal * seen[:, 0] / depth + self.centre[0]
        y = -self.focal * seen[:, 1] / depth + self.centre[1]
        return np.stack([x, y], axis=1)

    def rays(self) -> Matrix:
        """Return the direction (size, size, 3) in which each pixel looks, of no fixed length."""
        steps = np.arange(self.size) + 0.5
        x, y = np.meshgrid((steps - self.centre[0]) / self.focal, -(steps - self.centre[1]) / self.focal)
        return np.stack([x, y, -np.ones_like(x)], axis=-1) @ self.rotation

    def clip(self) -> Matrix:
        """Return the (4, 4) matrix from the world to OpenGL's clip space."""
        view = np.eye(4)
        view[:3, :3] = self.rotation
        view[:3, 3] = -self.rotation @ self.position
        lens = np.zeros((4, 4))
        lens[0, 0] = lens[1, 1] = 2 * self.focal / self.size
        lens[0, 2] = 1 - 2 * self.centre[0] / self.size
        lens[1, 2] = 2 * self.centre[1] / self.size - 1
        lens[2, 2] = -(_FAR + _NEAR) / (_FAR - _NEAR)
        lens[2, 3] = -2 * _FAR * _NEAR / (_FAR - _NEAR)
        lens[3, 2] = -1
        return lens @ view

    def resized(self, size: int) -> Frame:
        """Return the same picture with another number of pixels."""
        scale = size / self.size
        centre = (self.centre[0] * scale, self.centre[1] * scale)
        return replace(self, focal=self.focal * scale, centre=centre, size=size)


def aim(height: float, distance: float, elevation: float, roll: float, size: int) -> Frame:
    """Stand in front of something that stands on the ground at the origin.

    Args:
        height: of the thing; the camera looks at its middle.
        distance: from there.
        elevation: in radians, how far above the middle's horizontal; more where the camera would stand on the
            ground, or would see nothing of a flat thing but its edge.
        roll: in radians.
        size: of the frame in pixels.

    Returns:
        A frame with the optical axis in its middle and an arbitrary focal length.
    """
    target = np.array([0.0, height / 2, 0.0])
    lowest = math.asin(min(max((0.04 - height / 2) / distance, -1.0), 1.0))
    flatness = max(1 - height / 0.2, 0.0)
    elevation = max(elevation, lowest, 0.5 * flatness)
    back = np.array([0.0, math.sin(elevation), math.cos(elevation)])
    right, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, math.cos(elevation), -math.sin(elevation)])
    turned_right = math.cos(roll) * right + math.sin(roll) * up
    turned_up = math.cos(roll) * up - math.sin(roll) * right
    return Frame(
        np.stack([turned_right, turned_up, back]), target + distance * back, float(size), (size / 2, size / 2), size
    )


def fit(frame: Frame, points: NDArray[np.floating], fill: float, centre: tuple[float, float]) -> Frame:
    """Zoom and shift the lens until points fill the frame as wanted.

    Args:
        frame: a camera.
        points: (N, 3) in front of it.
        fill: longer side of their box as a share of the frame's side.
        centre: where the middle of their box falls, as shares of the frame from the left and the top.

    Returns:
        The same camera with another lens.
    """
    low, high = box(frame, points)
    focal = frame.focal * fill * frame.size / max(float((high - low).max()), 1e-6)
    middle = ((low + high) / 2 - frame.centre) * (focal / frame.focal)
    at = (centre[0] * frame.size - float(middle[0]), centre[1] * frame.size - float(middle[1]))
    return replace(frame, focal=focal, centre=at)


def stand_in(frame: Frame, points: NDArray[np.floating], replaced: NDArray[np.floating]) -> Frame:
    """Fit something else into the place of what a frame shows: as large, and with its foot where that one's is."""
    low, high = box(frame, replaced)
    fitted = fit(frame, points, float((high - low).max()) / frame.size, (0.5, 0.5))
    own_low, own_high = box(fitted, points)
    shift_x = float(low[0] + high[0] - own_low[0] - own_high[0]) / 2
    shift_y = float(high[1] - own_high[1])
    return replace(fitted, centre=(fitted.centre[0] + shift_x, fitted.centre[1] + shift_y))


def box(frame: Frame, points: NDArray[np.floating]) -> tuple[Matrix, Matrix]:
    """Return the lower and the upper corner, each (2,), of the box around points on the frame."""
    pixels = frame.project(points)
    return pixels.min(axis=0), pixels.max(axis=0)


def placement(yaw: float, scale: float = 1.0, x: float = 0.0, z: float = 0.0) -> Matrix:
    """Return the (4, 4) matrix that turns a thing by ``yaw`` radians, scales it and moves it over the ground."""
    matrix = np.eye(4)
    matrix[0, 0] = matrix[2, 2] = scale * math.cos(yaw)
    matrix[0, 2], matrix[2, 0] = scale * math.sin(yaw), -scale * math.sin(yaw)
    matrix[1, 1] = scale
    matrix[0, 3], matrix[2, 3] = x, z
    return matrix


def flatten(towards_light: NDArray[np.floating]) -> Matrix:
    """Return the (4, 4) matrix that lays a thing's shadow on the ground; ``towards_light`` points above the ground."""
    matrix = np.eye(4)
    matrix[0, 1] = -towards_light[0] / towards_light[1]
    matrix[2, 1] = -towards_light[2] / towards_light[1]
    matrix[1, 1] = 0.0
    return matrix


def towards(azimuth: float, elevation: float) -> Matrix:
    """Return the unit vector (3,) towards a light; azimuth 0 is behind the camera, positive to its right."""
    flat = math.cos(elevation)
    return np.array([math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat])


def sun_clip(towards_light: NDArray[np.floating], radius: float, around: NDArray[np.floating]) -> Matrix:
    """Return the (4, 4) matrix of a distant light's own picture of a ball of ``radius`` around a point (3,)."""
    back = np.asarray(towards_light, dtype=np.float64)
    side = np.cross([0.0, 1.0, 0.0], back)
    right = side / np.linalg.norm(side) if np.linalg.norm(side) > 1e-6 else np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(back, right), -back])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation / radius
    matrix[:3, 3] = -matrix[:3, :3] @ around
    return matrix
