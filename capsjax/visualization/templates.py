"""The HTML pages, whose parts are files beside this one."""

from importlib import resources

_FOLDER = 'pages'


def read_page_part(name: str) -> str:
  """The text of a file in `pages`."""
  folder = resources.files('capsjax.visualization') / _FOLDER
  return (folder / name).read_text(encoding='utf-8')


def render_page(name: str, **values: object) -> str:
  """Fills in a page.

  Args:
    name: a file in `pages`, a Jinja template.
    values: what it names; text is escaped unless it is `Markup`.

  Returns:
    The HTML.
  """
  from jinja2 import Environment, PackageLoader

  environment = Environment(
    loader=PackageLoader('capsjax.visualization', _FOLDER), autoescape=True
  )
  return environment.get_template(name).render(**values)
