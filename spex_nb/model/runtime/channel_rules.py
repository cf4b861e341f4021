"""The rules behind the prior channels of a model's input. Weights learned them, so that they never change.

The rules of `spectral.priors` are those that users meet, and get better. These stay as they were when checkpoints with
prior channels were trained.
"""

from __future__ import annotations

from spex_nb.spectral.priors import Guard, Rule

DRY = Guard("NDWI", -0.1, "below")
SPARSE = Guard("NDVI", 0.5, "below")
LEARNED = "learned by the weights"

CHANNEL_RULES: dict[str, tuple[Rule, ...]] = {
    "water": (
        Rule("MuWIR", 0.5, "above", LEARNED, (Guard("CSISWIR", 0.12, "below"),), "reflectance"),
        Rule("NDWI", -0.05, "above", LEARNED, (Guard("nir", 0.2, "below"),), "reflectance"),
        Rule("MNDWI", 0.1, "above", LEARNED, radiometry="reflectance"),
        Rule("NDWI", 0.3, "above", LEARNED, radiometry="relative"),
        Rule("IKAW", -0.1, "below", LEARNED),
    ),
    "vegetation": (
        Rule("EVI2", 0.08, "above", LEARNED, radiometry="reflectance"),
        Rule("GNDVI", 0.25, "above", LEARNED, radiometry="reflectance"),
        Rule("GLI", 0.02, "above", LEARNED, radiometry="relative"),
        Rule("GLI", 0.0, "above", LEARNED),
    ),
    "built_up": (
        Rule("IKAW", 0.24, "below", LEARNED, (DRY, SPARSE), "surface reflectance"),
        Rule("NGRDI", -0.08, "above", LEARNED, (DRY, Guard("NDVI", 0.4, "below")), "reflectance"),
        Rule("NDBI", 0.0, "above", LEARNED, radiometry="reflectance"),
        Rule("BCC", 0.248, "above", LEARNED, radiometry="surface reflectance"),
        Rule("VrNIRBI", 0.25, "above", LEARNED, (Guard("NDWI", 0.4, "below"),), "relative"),
        Rule("GLI", 0.01, "below", LEARNED),
    ),
    "bare_soil": (
        Rule("NDVI", 0.11, "below", LEARNED, (DRY,), "reflectance"),
        Rule("BITM", 0.19, "above", LEARNED, radiometry="reflectance"),
        Rule("GLI", 0.01, "below", LEARNED),
    ),
}
"""By target, best first; the first that a scene allows gives the channel."""
