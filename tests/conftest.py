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

from spex_nb.types import ModelCard

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

    id = "fake"

    def __init__(self, words: Sequence[str] = ("Water covers 99 % of the scene. ", "It is <b>bold</b>.")) -> None:
        self.card = ModelCard(("water", "vegetation"), tile_px=128, accepts_points=True)
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
    """Stands in for a `MapView`: records its calls, and plays a user who clicks, draws and brushes."""

    def __init__(self) -> None:
        import ipywidgets as ipw

        self.calls: list[tuple[str, Any]] = []
        self.map, self.widget, self.notice, self.window = object(), ipw.HTML(), "", None
        self.click = self.draw_box = self.brush = None

    def calls_of(self, name: str) -> list[Any]:
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
    """Return a map that records its calls."""
    return RecordingMap()


SPECTRA = {
    1: (0.06, 0.08, 0.05, 0.02, 0.01),  # water
    2: (0.03, 0.08, 0.04, 0.40, 0.20),  # vegetation
    3: (0.17, 0.18, 0.20, 0.24, 0.26),  # built-up
}
"""Reflectance of blue, green, red, nir and swir16 by class."""
LAID_OUT = {
    # name: split, place, classes by quarter (upper left, upper right, lower left, lower right), sensor
    "t0": ("train", "hill", (1, 2, 3, 2), "landsat8"),
    "t1": ("train", "dale", (2, 1, 2, 3), "landsat8"),
    "v0": ("val", "lake", (1, 1, 2, 3), "landsat8"),
    "v1": ("val", "lake", (2, 2, 2, 3), "landsat8"),
    "v2": ("val", "farm", (2, 2, 3, 1), "landsat8"),
    "v3": ("val", "farm", (2, 2, 1, 3), "planetscope4"),
}
"""Small scenes of four squares each; that of PlanetScope has no swir16."""


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SPIE dataset of scenes of 32 x 32 pixels, each of four squares of one class."""
    from spex_nb import spie

    folder = tmp_path_factory.mktemp("squares")
    scenes = [_square(folder, name) for name in LAID_OUT]
    spie.build(scenes, None, folder / "spie", spie.Settings(tile_px=32, absent_frac=1.0), workers=1, progress=False)
    return folder / "spie"


def _square(folder: Path, name: str) -> Any:
    from dataclasses import replace

    from spex_nb import spie

    split, place, quarters, sensor = LAID_OUT[name]
    classes = np.kron(np.reshape(quarters, (2, 2)), np.ones((16, 16))).astype(np.uint8)
    spectra = np.array([(0,) * 5, *SPECTRA.values()])
    noise = np.random.default_rng(list(LAID_OUT).index(name)).normal(0, 0.002, (32, 32, 5))
    pixels = np.rint((spectra[classes] + noise) * 10_000).astype(np.int16).transpose(2, 0, 1)
    image = _write_square(folder / f"{name}.tif", pixels[: 5 if sensor == "landsat8" else 4])
    label = _write_square(folder / f"{name}_labels.tif", classes[None])
    named = {1: "water", 2: "vegetation", 3: "built_up"}
    (scene,) = spie.labelled_scenes([image], [label], named, sensor=sensor, places=[place])
    return replace(scene, split=split)


def _write_square(path: Path, pixels: Any) -> Path:
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "crs": "EPSG:32632", "transform": UTM, "dtype": pixels.dtype}
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as file:
        file.write(pixels)
        if count > 1:
            file.scales = [1e-4] * count
            for i, band in enumerate(("blue", "green", "red", "nir", "swir16")[:count], start=1):
                file.set_band_description(i, band)
    return path


@pytest.fixture(scope="session")
def landscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small SPIE dataset of generated suburbs and lakes: one of each for training, one of each held out."""
    pytest.importorskip("torch", reason="training needs the extra [model]")
    from dataclasses import replace

    from spex_nb.spie import Settings, build
    from spex_nb.spie.sources.synthetic_scenes import generated_scenes

    folder = tmp_path_factory.mktemp("landscapes")
    scenes = generated_scenes(folder / "scenes", 2, kinds=("town_1m", "lake_30m"))
    split = [replace(scene, split="train" if i < 2 else "val") for i, scene in enumerate(scenes)]
    targets = ("water", "vegetation", "building", "bare_soil")
    settings = Settings(tile_px=128, targets=targets, absent_frac=1.0, split=(1.0, 0.0, 0.0))
    return build(split, None, folder / "data", settings, workers=1, progress=False).folder
