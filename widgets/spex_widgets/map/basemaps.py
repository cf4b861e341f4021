"""Whether a basemap can be had from here: one that cannot is a grey map without a word."""

from __future__ import annotations

import urllib.error
import urllib.request

TIMEOUT_S = 5
FIRST_TILE = {"{z}": "0", "{x}": "0", "{y}": "0", "{s}": "a", "{r}": ""}


def is_reachable(url: str) -> bool:
    """Return whether the first tile of a basemap can be had; asks its server.

    Args:
        url: Of tiles, with ``{z}``, ``{x}`` and ``{y}``.
    """
    for key, value in FIRST_TILE.items():
        url = url.replace(key, value)
    if not url.startswith(("http://", "https://")):
        return False
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "spex_nb"})
        urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return True
