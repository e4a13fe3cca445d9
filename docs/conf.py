"""Settings of Sphinx for the documentation; `make docs` builds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = 'capsjax'
extensions = [
  'myst_nb',
  'sphinx.ext.autodoc',
  'sphinx.ext.napoleon',
  # Makes pages and links; see its docstring.
  'website.extension',
]
html_theme = 'furo'
html_title = 'capsjax'
html_static_path = ['../website/static']
html_css_files = ['extra.css']
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_math_renderer = 'mathml'

# Pages are Markdown, and the tutorial is a notebook that each build executes.
myst_enable_extensions = ['attrs_inline', 'deflist', 'dollarmath']
myst_heading_anchors = 3
nb_execution_mode = 'force'
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# Quotes around values stay as they are typed.
smartquotes_action = 'D'
# Docstrings mark code with single backticks.
default_role = 'code'
add_module_names = False
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
autodoc_typehints_format = 'short'
maximum_signature_line_length = 70
napoleon_custom_sections = [('Attributes', 'params_style')]
