"""Renders the HTML templates in `pages`."""

from importlib import resources

_FOLDER = 'pages'


def read_page_part(name: str) -> str:
  """Returns the text of a file in `pages`."""
  folder = resources.files('capsjax.visualization') / _FOLDER
  return (folder / name).read_text(encoding='utf-8')


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
