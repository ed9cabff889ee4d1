"""Sphinx configuration: `make docs`."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

# autodoc imports the packages and therefore TensorFlow, which prints notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import convrnn_model

project = "ConvRNN"
author = "The ConvRNN authors"
copyright = author
version = release = convrnn_model.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings mark code with single backticks
nitpicky = False

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebook is committed with its outputs

# Not in requirements.lock.
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autoclass_content = "class"
python_display_short_literal_types = True
napoleon_numpy_docstring = False

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "ConvRNN"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005a8d", "color-brand-content": "#005a8d"},
    "dark_css_variables": {"color-brand-primary": "#6cbdf0", "color-brand-content": "#6cbdf0"},
}
html_math_renderer = "mathml"

MEASURED = ("performance", "scaling")


def _inline(page: Any, node: Any) -> None:
    page.body.append(convert(node.astext()))
    raise _skip()


def _block(page: Any, node: Any) -> None:
    page.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise _skip()


def _skip() -> Exception:
    from docutils.nodes import SkipNode

    return SkipNode()


def _omit_missing_pages(app: Any, name: str, source: list[str]) -> None:
    """Remove pages of measurements that do not exist from the table of contents."""
    for page in MEASURED if name == "index" else ():
        if not (Path(app.srcdir) / f"{page}.md").is_file():
            source[0] = source[0].replace(f"\n{page}\n", "\n")


def setup(app: Any) -> None:
    """Render formulas as MathML, which needs no script and no download."""
    app.connect("source-read", _omit_missing_pages)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
