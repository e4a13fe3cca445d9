"""Renders the HTML templates in `pages`."""

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from markupsafe import Markup

_FOLDER = 'pages'


def read_page_parts(*names: str) -> 'Markup':
  """Returns the joined text of files in `pages`, which is not escaped."""
  from markupsafe import Markup

  folder = resources.files('capsjax.visualization') / _FOLDER
  return Markup(
    ''.join((folder / n).read_text(encoding='utf-8') for n in names)
  )


def render_page(name: str, **values: object) -> str:
  """Renders a page.

  Args:
    name: a Jinja template in `pages`.
    **values: the variables of the template; text is escaped unless it is
      `Markup`.

  Returns:
    The HTML.
  """
  from jinja2 import Environment, PackageLoader

  environment = Environment(
    loader=PackageLoader('capsjax.visualization', _FOLDER), autoescape=True
  )
  return environment.get_template(name).render(**values)
