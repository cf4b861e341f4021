"""Pictures: the right pixels, colours, axes and words."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from spex_nb import compute_index, sample_scene, spectral_prior
from spex_nb.errors import BandError, GridError
from spex_nb.output import plot_histogram, plot_index, plot_mask, plot_scene, plot_spectra


def rendered(figure: Figure) -> Any:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=60)
    buffer.seek(0)
    return imread(buffer)


def test_scene_in_true_and_false_colour() -> None:
    scene = sample_scene("river_10m")
    for bands in ("true", "false", ("swir16", "nir", "red")):
        figure = plot_scene(scene, bands)
        picture = figure.axes[0].images[0].get_array()
        assert picture.shape == (320, 320, 3)
        assert 0 <= picture.min() < 0.05
        assert picture.max() == 1
        assert rendered(figure).std() > 0.05
    assert "EPSG:32632" in figure.axes[0].get_xlabel()
    np.testing.assert_allclose(picture[-1, -1], 0.85)  # the corner without data is grey


def test_relative_scenes_say_so() -> None:
    scene = sample_scene("town_1m")
    assert "relative reflectance" in plot_scene(scene).axes[0].get_title()
    assert "(relative)" in plot_index(compute_index(scene, "NDVI")).axes[0].get_title()


def test_index_is_centred_on_zero_where_it_takes_both_signs() -> None:
    image = plot_index(compute_index(sample_scene("river_10m"), "NDVI")).axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax
    assert image.cmap.name == "BrBG"


def test_histogram_has_its_threshold_line() -> None:
    axes = plot_histogram(compute_index(sample_scene("river_10m"), "NDWI"), 0.1).axes[0]
    assert axes.lines[0].get_xdata()[0] == 0.1
    assert "0.1" in axes.get_legend().get_texts()[0].get_text()


def test_mask_lies_over_its_scene() -> None:
    scene = sample_scene("lake_30m")
    mask = spectral_prior(scene, "water").mask
    overlay = plot_mask(scene, mask).axes[0].images[1].get_array()
    np.testing.assert_array_equal(overlay[..., 3] > 0, mask)


def test_spectra_run_by_wavelength() -> None:
    scene = sample_scene("river_10m")
    axes = plot_spectra(scene, {"a": (3, 5), "b": (200, 100)}).axes[0]
    assert list(axes.lines[0].get_xdata()) == sorted(scene.spex.wavelengths_um.values())
    assert axes.lines[0].get_ydata()[0] == pytest.approx(float(scene["blue"][5, 3]))
    assert axes.get_xlabel() == "wavelength (µm)"


def test_large_scenes_are_thinned() -> None:
    scene = sample_scene("river_10m").isel(x=np.arange(3000) % 320, y=np.arange(2500) % 320)
    assert max(plot_scene(scene).axes[0].images[0].get_array().shape) <= 1200


def test_bad_requests() -> None:
    scene = sample_scene("river_10m")
    with pytest.raises(BandError, match="Did you mean red"):
        plot_scene(scene, ("redd", "green", "blue"))
    with pytest.raises(GridError, match=r"x in 0\.\.319"):
        plot_spectra(scene, {"far": (320, 0)})
    bare = scene.copy()
    for name in bare.spex.bands:
        bare[name].attrs.clear()
    with pytest.raises(BandError, match="sensor="):
        plot_spectra(bare, {"a": (0, 0)})
