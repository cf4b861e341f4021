"""The notebook widgets of spex_nb; they need the extra [map]."""

from spex_nb.extras import require_extra

require_extra("map", "spex_widgets")
