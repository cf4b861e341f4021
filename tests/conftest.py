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


@pytest.fixture(scope="session")
def landscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small SPIE dataset of generated suburbs and lakes: one of each for training, one of each held out."""
    pytest.importorskip("torch", reason="training needs the extra [model]")
    from dataclasses import replace

    from spex_nb.spie import Settings, build
    from spex_nb.training.landscapes import generated_scenes

    folder = tmp_path_factory.mktemp("landscapes")
    scenes = generated_scenes(folder / "scenes", 2, kinds=("town_1m", "lake_30m"))
    split = [replace(scene, split="train" if i < 2 else "val") for i, scene in enumerate(scenes)]
    targets = ("water", "vegetation", "building", "bare_soil")
    settings = Settings(tile_px=128, targets=targets, absent_frac=1.0, split=(1.0, 0.0, 0.0))
    return build(split, None, folder / "data", settings, workers=1, progress=False).folder
