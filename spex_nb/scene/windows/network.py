"""Leave to use the network: GDAL has none but for addresses that the caller names, and then a time limit.

A raster file may point anywhere: a VRT at a URL, a WMS description at a server, a sidecar at an overview. `pointers`
reads the text of such files. GDAL is set so that it cannot fetch what was overlooked either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

ADDRESS = (
    r"(?<![\w+.-])(?!file://)[a-z][a-z0-9+.-]{1,15}://"
    r"|((?<![\w.-])|/vsi\w+)/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|\w+_streaming)\b"
    r"|\b(WMS|WCS|WMTS|OGCAPI|STACIT|STACTA|DAAS|EEDAI?|NGW|PG|PLMOSAIC):"
)
"""What stands in names that GDAL fetches."""
FETCHING_DRIVERS = frozenset(
    {"DAAS", "EEDA", "EEDAI", "GTI", "HTTP", "KMLSUPEROVERLAY", "OGCAPI", "PLMOSAIC"}
    | {"STACIT", "STACTA", "WCS", "WMS", "WMTS"}
)
"""Drivers of GDAL for descriptions of servers, and for tables of tiles anywhere."""
NOWHERE = "http://127.0.0.1:1"
"""A proxy that is on no machine: a request to it ends on this one."""
OFF: Mapping[str, str] = MappingProxyType(
    {
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".no-network",
        "GDAL_HTTP_PROXY": NOWHERE,
        "GDAL_HTTPS_PROXY": NOWHERE,
        "GDAL_HTTP_CONNECTTIMEOUT": "1",
        "GDAL_HTTP_MAX_RETRY": "0",
    }
)
"""Options of GDAL under which it fetches nothing."""
LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "GDAL_HTTP_CONNECTTIMEOUT": "10",
        "GDAL_HTTP_LOW_SPEED_TIME": "20",
        "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
        "GDAL_HTTP_TIMEOUT": "300",
    }
)
"""Options of GDAL under which it gives up a server that does not answer: seconds, and bytes a second."""
_leave: ContextVar[bool] = ContextVar("network_leave", default=False)


def names_address(text: str) -> bool:
    """Whether a name is an address on the network, or leads to one."""
    return re.search(ADDRESS, text, re.IGNORECASE) is not None


@contextmanager
def network_leave(is_given: bool) -> Iterator[None]:
    """Give or refuse leave to fetch what local files point at, for all sources that are described inside.

    Args:
        is_given: What the caller of `open_scene` says by ``remote=``.
    """
    token = _leave.set(is_given)
    try:
        yield
    finally:
        _leave.reset(token)


def has_network_leave() -> bool:
    """Whether the caller gave leave to fetch what local files point at."""
    return _leave.get()


@contextmanager
def gdal_network(is_allowed: bool) -> Iterator[None]:
    """Set GDAL so that it fetches nothing, or within `LIMITS`, where the user set no others.

    Args:
        is_allowed: Whether there is leave.
    """
    from rasterio._env import get_gdal_config

    limits = {name: value for name, value in LIMITS.items() if get_gdal_config(name) is None}
    with gdal_options(limits if is_allowed else OFF):
        yield


@contextmanager
def gdal_options(options: Mapping[str, str]) -> Iterator[None]:
    """Set options of GDAL, and set them back; in the main thread they are those of the process."""
    from rasterio._env import del_gdal_config, get_gdal_config, set_gdal_config

    before = {name: get_gdal_config(name, normalize=False) for name in options}
    try:
        for name, value in options.items():
            set_gdal_config(name, value, normalize=False)
        yield
    finally:
        for name, previous in before.items():
            if previous is None:
                del_gdal_config(name)
            else:
                set_gdal_config(name, previous, normalize=False)
