"""The report is one self-contained file, and text in it is escaped."""

import base64
import html.parser

import numpy as np
import pytest
from PIL import Image

from capsjax import visualization
from capsjax.visualization import (
  Block,
  Section,
  Table,
)
from tests.visualization import pages


class Page(html.parser.HTMLParser):
  """Collects the cells, images and external URLs of a page."""

  def __init__(self, text):
    super().__init__()
    self.cells, self.images, self.outside, self._in_cell = [], [], [], False
    self.ids, self.links = [], []
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    attributes = dict(attributes)
    self._in_cell = tag == 'td'
    for name in ('src', 'href'):
      address = attributes.get(name, '')
      if address.startswith('data:'):
        self.images.append(address)
      elif address.startswith('#'):
        self.links.append(address[1:])
      elif address:
        self.outside.append(address)
    if 'id' in attributes:
      self.ids.append(attributes['id'])

  def handle_data(self, data):
    if self._in_cell:
      self.cells.append(data)

  def handle_endtag(self, tag):
    self._in_cell = False


def page():
  figure = visualization.confusion_figure(np.eye(2, dtype=int))
  return visualization.report_page(
    'A title',
    'below it',
    [
      Section('First & last', [Block('Matrix', 'A note.', figure=figure)]),
      Section('Table', [Block(table=Table(('a', 'b'), [('<b>', 1.5)]))]),
    ],
  )


def test_everything_is_in_the_file():
  found = Page(page())
  assert not found.outside
  (image,) = found.images
  kind, data = image.split(';base64,')
  assert kind == 'data:image/png'
  assert base64.b64decode(data).startswith(b'\x89PNG')
  assert found.links == found.ids == ['first-last', 'table']


def test_text_is_not_taken_for_html():
  assert Page(page()).cells == ['<b>', '1.5']


def test_the_same_gives_the_same():
  assert page() == page()


@pytest.fixture(scope='module')
def opened(browser, tmp_path_factory):
  """Opens a page that is too wide for a telephone; returns the browser."""
  curve = visualization.Curve(np.arange(3.0), np.arange(3.0))
  figure = visualization.curves_figure({'a': {'': [curve]}, 'b': {'': [curve]}})
  matrix = visualization.confusion_figure(np.eye(2, dtype=int))
  wide = Table([f'column {k}' for k in range(12)], [['unbreakable' * 2] * 12])
  sections = [
    Section('Wide', [Block('Matrix', 'A note.', figure=matrix)]),
    Section('Curves', [Block(figure=figure)]),
    Section('Table', [Block(table=wide)]),
    Section('Summary', [Block(table=Table((), [('seed', 1), ('model', 'x')]))]),
    *(Section(f'Reconstructions{k}', []) for k in range(9)),
  ]
  path = tmp_path_factory.mktemp('report') / 'report.html'
  text = visualization.report_page('A title', '/a/path' * 20, sections)
  path.write_text(text, encoding='utf-8')
  browser.get(path.as_uri())
  yield browser
  pages.end_emulation(browser)


def test_a_browser_shows_it(opened):
  assert opened.title == 'A title'
  image, _ = opened.find_elements('css selector', 'img')
  assert opened.execute_script('return arguments[0].naturalWidth', image) > 100
  assert image.get_attribute('alt') == 'Matrix'
  opened.find_element('link text', 'Table').click()
  assert opened.current_url.endswith('#table')
  assert not opened.get_log('browser')


@pytest.mark.parametrize('scheme', pages.SCHEMES)
@pytest.mark.parametrize('width', pages.WIDTHS)
def test_it_fits_the_screen_and_can_be_read_by_everybody(
  opened, width, scheme, tmp_path
):
  pages.emulate(opened, width, scheme)
  assert pages.too_wide(opened) <= 0
  assert not pages.violations(opened)
  opened.execute_script('window.scrollTo(0, 0)')
  path = tmp_path / 'page.png'
  assert opened.save_screenshot(path)
  ground = np.asarray(Image.open(path).convert('L'))[3, 3]
  assert ground > 200 if scheme == 'light' else ground < 50


def test_figures_stay_readable_on_a_telephone(opened):
  pages.emulate(opened, 390, 'light')
  for image in opened.find_elements('css selector', 'img'):
    shown, natural = opened.execute_script(
      'return [arguments[0].clientWidth, arguments[0].naturalWidth]', image
    )
    assert 0.8 * natural - 1 <= shown <= natural
    # The size is known before the picture is decoded.
    assert int(image.get_dom_attribute('width')) == natural


def test_what_scrolls_sideways_is_reached_by_keyboard(opened):
  focusable = """
    return [...document.querySelectorAll('.scroll')].map(
      (part) => [part.scrollWidth > part.clientWidth, part.tabIndex]);
  """
  for width, expected in ((390, [False, True, True, False]), (1280, None)):
    pages.emulate(opened, width, 'light')
    opened.execute_async_script('requestAnimationFrame(arguments[0])')
    found = opened.execute_script(focusable)
    assert [scrolls for scrolls, _ in found] == (
      expected or [False, False, True, False]
    )
    assert [index for _, index in found] == [-1 + s for s, _ in found]


def test_no_header_is_empty(opened):
  heads = opened.find_elements('css selector', 'th')
  assert all(head.get_attribute('textContent') for head in heads)
  rows = [h.text for h in heads if h.get_attribute('scope') == 'row']
  assert rows == ['seed', 'model']
