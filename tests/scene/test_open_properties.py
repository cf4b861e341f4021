"""Property: whatever small raster is written, it reads back as raw * scale + offset, NaN exactly where no data is."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spex_nb import open_scene
from spex_nb.errors import EmptySceneError, RadiometryWarning

pytestmark = pytest.mark.slow

DRIVERS = {"GTiff": ".tif", "PNG": ".png", "ENVI": ".img", "HFA": ".img"}
CRS = [None, "EPSG:32632", "EPSG:32733", "EPSG:4326", "EPSG:3035"]


@st.composite
def rasters(draw: Any) -> dict[str, Any]:
    driver = draw(st.sampled_from(sorted(DRIVERS)))
    kinds = ["uint8", "uint16"] if driver == "PNG" else ["uint8", "int16", "uint16", "int32", "float32", "float64"]
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
    dtype = draw(st.sampled_from(kinds))
    pixels = draw(arrays.arrays(dtype, shape, elements=st.integers(0, 250)))
    nodata = draw(st.sampled_from([None, 0, 7, 250] + ([float("nan")] if dtype.startswith("float") else [])))
    crs = draw(st.sampled_from(CRS))
    size = 0.001 if crs == "EPSG:4326" else 10.0
    south_up = draw(st.booleans()) and driver == "GTiff"
    transform = Affine(size, 0, 10, 0, size if south_up else -size, 20) if crs else Affine.identity()
    return {"driver": driver, "pixels": pixels, "nodata": nodata, "crs": crs, "transform": transform}


@settings(max_examples=60)
@given(case=rasters(), scale=st.sampled_from([1e-4, 2.75e-5, 0.01]), lazy=st.booleans())
def test_what_is_written_is_read(case: dict[str, Any], scale: float, lazy: bool) -> None:
    pixels = case["pixels"]
    names = ["red", "nir", "swir16"][: len(pixels)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        warnings.simplefilter("ignore", RadiometryWarning)
        path = Path(folder) / f"scene{DRIVERS[case['driver']]}"
        profile = {key: case[key] for key in ("driver", "nodata", "crs", "transform") if case[key] is not None}
        count, height, width = pixels.shape
        with rasterio.open(path, "w", count=count, height=height, width=width, dtype=pixels.dtype, **profile) as file:
            file.write(pixels)
        missing = pixels == case["nodata"] if case["nodata"] is not None else np.zeros(pixels.shape, bool)
        try:
            scene = open_scene(path, bands=names, scale=scale, chunks=4 if lazy else None).compute()
        except EmptySceneError:
            assert missing.any(axis=0).all()
            return
        np.testing.assert_array_equal(scene["valid"], ~missing.any(axis=0))
        for name, plane, absent in zip(names, pixels, missing, strict=True):
            expected = np.where(absent, np.nan, plane.astype("float64") * scale)
            np.testing.assert_allclose(scene[name], expected, rtol=1e-6)
        if case["crs"]:
            assert scene.spex.transform.almost_equals(case["transform"], 1e-6)
