"""The documentation as a site: `make docs` writes build/site.

The source folder is the project's root, so that a link means the same on the site and among the files.
"""

import sys
from pathlib import Path

import spex_nb

sys.path.insert(0, str(Path(__file__).parent))

project, author, release = "spex_nb", "The spex_nb developers", spex_nb.__version__
project_copyright = "The spex_nb developers, Apache-2.0"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "front",
    "lessons",
    "offline",
]

root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**.md",
    "notebooks/[0-9]*.ipynb",
    "notebooks/README.md",
    "data_samples/README.md",
    "recipes/tiny/joint/README.md",
    "spex_nb/model/checkpoints/*/README.md",
]
exclude_patterns = [".*", "build", "artifacts", "demo_output", "**/.*"]

html_theme = "furo"
html_title = f"spex_nb {release}"
html_additional_pages = {"index": "to_front_page.html"}
templates_path = ["templates"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "off"  # `make lessons` has executed them; see lessons.py
nb_ipywidgets_js = {}  # they would come from a server; without a kernel widgets are dead anyway

highlight_language = "none"  # most blocks are commands and what they print; Python ones say so
default_role = "code"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False  # "Returns" start with what it is, not with a type
