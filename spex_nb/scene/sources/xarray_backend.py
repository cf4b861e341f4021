"""xarray's door: ``xr.open_dataset(source, engine="spex")`` gives what `open_scene` gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint


class SpexBackendEntrypoint(BackendEntrypoint):
    """Opens any multispectral raster as a Scene. It is never chosen by itself, only by ``engine="spex"``."""

    description = "Any multispectral raster as reflectance bands by common name (spex_nb)"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "sensor",
        "bands",
        "scale",
        "offset",
        "nodata",
        "clouds",
        "time",
        "gsd_m",
        "remote",
    )

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, **options: Any
    ) -> xr.Dataset:
        """Open a scene.

        Args:
            filename_or_obj: What `open_scene` takes.
            drop_variables: Bands that are left out afterwards; none by default.
            **options: Of `open_scene`: sensor, bands, scale, offset, nodata, clouds, time, gsd_m, remote.

        Raises:
            SpexError: As `open_scene`.
        """
        from spex_nb.scene.open import open_scene

        given = {name: value for name, value in options.items() if value is not None}
        scene = open_scene(filename_or_obj, **given)
        names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        return scene.drop_vars(names, errors="ignore")
