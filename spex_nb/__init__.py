"""spex_nb: instruction-driven land-cover extraction on multispectral imagery, in the notebook.

Everything that users call is importable from here, and loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module

import spex_nb.scene.accessor as _accessor  # noqa: F401  (registers .spex on every Dataset)

__version__ = "0.1.0"

_HOMES = {
    "scene.accessor": (),
    "language.answers": ("write_answer",),
    "spectral.catalogue": ("index_info",),
    "errors": ("RadiometryWarning", "SpexError", "SpexWarning"),
    "language.claims": ("check_explanation",),
    "evaluation.evaluate_model": ("evaluate",),
    "language.evidence": ("measure_evidence",),
    "output.export": ("save_cog", "save_geojson", "save_geopackage", "save_geoparquet"),
    "extraction": ("Extraction", "extract", "load_extraction", "plan_extraction"),
    "regions.filters": ("apply_filters",),
    "language.instructions": ("parse_instruction",),
    "spectral.indices": ("compute_index", "compute_indices", "list_indices"),
    "extraction.mask_models": ("load_mask_model",),
    "output.plotting": (
        "plot_classes",
        "plot_histogram",
        "plot_index",
        "plot_maps",
        "plot_mask",
        "plot_regions",
        "plot_scene",
        "plot_spectra",
    ),
    "spectral.priors": ("spectral_prior",),
    "language.prompts": ("build_prompt", "parse_prompt"),
    "regions.find": ("find_regions", "regions_frame"),
    "cli.environment": ("report",),
    "scene.samples": ("sample_labels", "sample_path", "sample_scene", "sample_scenes"),
    "scene.open": ("Scene", "open_scene"),
    "scene.sensors": ("get_sensor", "list_sensors", "register_sensor"),
    "spectral.thresholds": ("find_threshold", "threshold_index"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (a list of names)


def load_ipython_extension(shell: object) -> None:
    """Let ``%load_ext spex_nb`` add the magics ``%spex`` and ``%%spex``."""
    import_module("spex_nb.cli.magics").load(shell)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'spex_nb' has no attribute {name!r}")
    value = getattr(import_module(f"spex_nb.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
