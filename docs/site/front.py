"""The README as front page: it gets the table of contents that a page on its own does not need."""

from __future__ import annotations

from sphinx.application import Sphinx

CONTENTS = """

```{toctree}
:hidden:
:caption: Begin

docs/setup
docs/teaching
```

```{toctree}
:hidden:
:caption: Lessons
:glob:

notebooks/README
notebooks/[0-9]*
```

```{toctree}
:hidden:
:caption: How to

docs/workbench
docs/files
docs/extraction
docs/area_of_interest
docs/compare
docs/own_classes
docs/explanations
docs/data
docs/training
docs/evaluation
docs/checking
docs/districts
docs/qgis
docs/annotations
docs/many_scenes
docs/catalogues
docs/agents
```

```{toctree}
:hidden:
:caption: What it is

docs/model
spex_nb/model/checkpoints/tiny/README
recipes/tiny/joint/README
docs/results
docs/gallery
docs/reliability
docs/priors
docs/benchmarks
data_samples/README
docs/architecture
```

```{toctree}
:hidden:
:caption: Reference

docs/api
```

```{toctree}
:hidden:
:caption: Project

CONTRIBUTING
CHANGELOG
```
"""


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append the table of contents to the front page."""
    if docname == app.config.root_doc:
        source[0] += CONTENTS


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True}
