"""Files that hold others: HDF5, NetCDF, GRIB and all whose parts GDAL names ``DRIVER:"file":part``."""

from __future__ import annotations

from rasterio.errors import CRSError, RasterioError

from spex_nb.scene.windows.locations import is_remote
from spex_nb.scene.windows.rasters import open_raster


def files_of_container(location: str) -> list[str]:
    """Return the subdatasets of a file that has no band of its own, each as a name that GDAL opens."""
    if is_remote(location) and not location.startswith("/vsi"):
        return []
    try:
        with open_raster(location) as file:
            return list(file.subdatasets) if file.count == 0 else []
    except (RasterioError, CRSError):
        return []
