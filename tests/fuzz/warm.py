"""What the server of children does once, so that no child does it again: imports, and the words of all languages.

It opens no raster: a child that is forked after that has none of GDAL's threads.
"""

from __future__ import annotations

import dask.array
import geopandas
import h5netcdf
import pyogrio
import pyproj
import rasterio.vrt
import rasterio.warp
import rioxarray
import scipy.ndimage
import shapely
import spex_widgets.session

from spex_nb import parse_instruction
from spex_nb.extraction import extract_scene, finish, result_page, storage

LOADED = (
    *(dask.array, geopandas, h5netcdf, pyogrio, pyproj, rasterio.vrt, rasterio.warp, rioxarray, scipy.ndimage, shapely),
    *(spex_widgets.session, extract_scene, finish, result_page, storage),
)
WORDS = parse_instruction("the lakes larger than 2 ha")
