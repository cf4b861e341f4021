"""Planet: what is radiance becomes reflectance by the metadata beside it, or is refused; what is reflectance stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from spex_nb import open_scene
from spex_nb.errors import RadiometryError

Writer = Callable[..., Path]
SCENE = "20200615_101112_1003_3B"
COEFFICIENTS = (2.1e-5, 2.2e-5, 2.5e-5, 3.8e-5, 2.4e-5, 2.6e-5, 3.1e-5, 3.9e-5)


def write_metadata(folder: Path, name: str, coefficients: Sequence[float], version: str = "1.2.1") -> None:
    facts = "".join(
        f"<ps:bandSpecificMetadata><ps:bandNumber>{i}</ps:bandNumber>"
        f"<ps:reflectanceCoefficient>{c}</ps:reflectanceCoefficient></ps:bandSpecificMetadata>"
        for i, c in enumerate(coefficients, 1)
    )
    space = f"http://schemas.planet.com/ps/v1/planet_product_metadata_geocorrected_level/{version}"
    (folder / name).write_text(f'<ps:EarthObservation xmlns:ps="{space}">{facts}</ps:EarthObservation>')


@pytest.mark.parametrize(
    ("name", "metadata", "count"),
    [
        (f"{SCENE}_AnalyticMS.tif", f"{SCENE}_AnalyticMS_metadata.xml", 4),
        (f"{SCENE}_AnalyticMS_clip.tif", f"{SCENE}_AnalyticMS_metadata_clip.xml", 4),
        (f"{SCENE}_AnalyticMS_8b.tif", f"{SCENE}_AnalyticMS_8b_metadata.xml", 8),
        (f"{SCENE}_ortho_analytic_4b.tif", f"{SCENE}_ortho_analytic_4b_metadata.xml", 4),
    ],
)
def test_radiance_is_multiplied_by_the_coefficient_of_its_band(
    write_raster: Writer, tmp_path: Path, name: str, metadata: str, count: int
) -> None:
    raw = np.stack([np.full((3, 3), 5000 + 100 * i) for i in range(count)]).astype("uint16")
    path = write_raster(raw, name)
    write_metadata(tmp_path, metadata, COEFFICIENTS[:count])
    scene = open_scene(path)
    assert len(scene.spex.bands) == count
    for i, band in enumerate(scene.spex.bands):
        np.testing.assert_allclose(scene[band], (5000 + 100 * i) * COEFFICIENTS[i], rtol=1e-5)
    assert "top of atmosphere" in scene.attrs["radiometry_reason"]


@pytest.mark.parametrize("name", [f"{SCENE}_AnalyticMS.tif", f"{SCENE}_AnalyticMS_8b_clip.tif"])
def test_radiance_without_metadata_is_refused(write_raster: Writer, tmp_path: Path, name: str) -> None:
    count = 8 if "8b" in name else 4
    path = write_raster(np.full((count, 3, 3), 5000, "uint16"), name)
    write_metadata(tmp_path, "20200616_000000_1003_3B_AnalyticMS_metadata.xml", COEFFICIENTS)  # of another scene
    for sensor in (None, f"planetscope{count}"):
        with pytest.raises(RadiometryError, match=r"radiance at the sensor.*_metadata.xml.*pass scale="):
            open_scene(path, sensor=sensor)
    np.testing.assert_allclose(open_scene(path, scale=2e-5)["red"], 0.1, rtol=1e-5)


def test_uncalibrated_numbers_are_refused(write_raster: Writer) -> None:
    with pytest.raises(RadiometryError, match=r"uncalibrated numbers \(DN\)"):
        open_scene(write_raster(np.full((4, 3, 3), 5000, "uint16"), f"{SCENE}_AnalyticMS_DN.tif"))


@pytest.mark.parametrize("name", [f"{SCENE}_AnalyticMS_SR.tif", f"{SCENE}_AnalyticMS_SR_harmonized_clip.tif"])
def test_surface_reflectance_counts_in_ten_thousandths(write_raster: Writer, tmp_path: Path, name: str) -> None:
    path = write_raster(np.full((4, 3, 3), 3800, "uint16"), name)
    write_metadata(tmp_path, f"{SCENE}_AnalyticMS_metadata.xml", COEFFICIENTS)
    np.testing.assert_allclose(open_scene(path)["nir"], 0.38, rtol=1e-5)


def test_floats_named_after_radiance_are_taken_as_they_are(write_raster: Writer) -> None:
    path = write_raster(np.full((4, 3, 3), 0.25, "float32"), f"{SCENE}_AnalyticMS_toa.tif")
    np.testing.assert_allclose(open_scene(path)["nir"], 0.25)
