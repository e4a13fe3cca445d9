"""The report is one self-contained file, and text in it is escaped."""

import base64
import html.parser

import numpy as np

from capsjax import visualization
from capsjax.visualization import (
  Block,
  Section,
  Table,
)


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


def test_a_browser_shows_it(browser, tmp_path):
  path = tmp_path / 'report.html'
  path.write_text(page(), encoding='utf-8')
  browser.get(path.as_uri())
  assert browser.title == 'A title'
  (image,) = browser.find_elements('css selector', 'img')
  assert browser.execute_script('return arguments[0].naturalWidth', image) > 100
  assert image.get_attribute('alt') == 'Matrix'
  browser.find_element('link text', 'Table').click()
  assert browser.current_url.endswith('#table')
  assert not browser.get_log('browser')
