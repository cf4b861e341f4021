"""Fixtures that every test may use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, settings
from rasterio.errors import NotGeoreferencedWarning

# A busy machine is no failure: no deadlines; and CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

UTM = Affine(10, 0, 500_000, 0, -10, 5_500_000)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real scenes that SPEX_TEST_DATA names."""
    folder = os.environ.get("SPEX_TEST_DATA")
    if not folder:
        pytest.skip("SPEX_TEST_DATA is not set: it names the folder of real scenes that this test reads")
    return Path(folder)


@pytest.fixture(scope="session")
def parity(real_data: Path) -> Path:
    """Return the folder of golden tensors of the released code, which lies beside that of real scenes."""
    folder = real_data.parent / "parity"
    if not folder.is_dir():
        pytest.skip("SPEX_TEST_DATA does not name a folder with golden tensors in 'parity' beside it")
    return folder


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a small raster [C, H, W] with a real CRS and returns its path."""

    def write(
        pixels: Any,
        name: str = "scene.tif",
        descriptions: Sequence[str] = (),
        scale: float | None = None,
        offset: float | None = None,
        mask: Any = None,
        **profile: Any,
    ) -> Path:
        pixels = np.asarray(pixels)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"driver": "GTiff", "crs": "EPSG:32632", "transform": UTM} | profile
        count, height, width = pixels.shape
        size = {"count": count, "height": height, "width": width}
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.open(path, "w", dtype=pixels.dtype, **size, **settings) as file,
        ):
            file.write(pixels)
            for i, text in enumerate(descriptions, start=1):
                file.set_band_description(i, text)
            if scale is not None:
                file.scales = [scale] * count
            if offset is not None:
                file.offsets = [offset] * count
            if mask is not None:
                file.write_mask(mask)
        return path

    return write


class FakeModel:
    """A model without weights: blue is water, clicks add or clear discs of 8 pixels, boxes fill themselves."""

    id, targets, required_bands, gsd_m, tile_px = "fake", ("water", "vegetation"), (), None, 128

    def __init__(self, words: Sequence[str] = ("Water covers 99 % of the scene. ", "It is <b>bold</b>.")) -> None:
        self.words, self.asked = words, []

    def predict(
        self,
        tile: Any,
        targets: Any,
        prompts: Any,  # noqa: ARG002 (the protocol's)
        priors: Any = None,  # noqa: ARG002 (the protocol's)
        points: Any = None,
        boxes: Any = None,
    ) -> Any:
        self.asked.append((tuple(targets), points, boxes))
        is_water = (tile["green"] > tile["nir"]).values
        found = np.stack([is_water if target == "water" else ~is_water for target in targets])
        y, x = np.mgrid[0.5 : found.shape[1], 0.5 : found.shape[2]]
        for layer, clicks, own in zip(found, points or [()] * len(found), boxes or [()] * len(found), strict=True):
            for x0, y0, x1, y1 in own:
                layer[(x > x0) & (x < x1) & (y > y0) & (y < y1)] = True
            for cx, cy, yes in clicks:
                layer[np.hypot(x - cx, y - cy) < 8] = yes
        return np.where(found, np.float32(4), np.float32(-4))

    def explain(self, overview: Any, prompt: str, language: str = "en") -> Any:  # noqa: ARG002 (the protocol's)
        yield from self.words


class RecordingMap:
    """Stands in for a `MapView`: keeps what it was told, and plays hands that click, draw and brush."""

    def __init__(self) -> None:
        import ipywidgets as ipw

        self.calls: list[tuple[str, Any]] = []
        self.map, self.widget, self.notice, self.window = object(), ipw.HTML(), "", None
        self.click = self.draw_box = self.brush = None

    def told(self, name: str) -> list[Any]:
        """Return what one method was called with, call by call."""
        return [given for called, given in self.calls if called == name]

    def visible_window(self) -> Any:
        return self.window

    def on_click(self, callback: Any) -> None:
        self.click = callback

    def on_draw_box(self, callback: Any) -> None:
        self.draw_box, self.brush = callback, None

    def on_brush(self, callback: Any) -> None:
        self.draw_box, self.brush = None, callback

    def close(self) -> None:
        self.click = self.draw_box = self.brush = None
        self.calls = [("close", ())]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given: self.calls.append((name, given))


@pytest.fixture
def fake_model() -> FakeModel:
    """Return a model without weights."""
    return FakeModel()


@pytest.fixture
def recording_map() -> RecordingMap:
    """Return a map that remembers what it was told."""
    return RecordingMap()
