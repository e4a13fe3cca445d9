"""The explorer in a real browser, compared with the JAX model."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from capsjax import visualization
from capsjax.data import load_dataset
from capsjax.examples import scale_images
from capsjax.models import create_model
from tests.visualization import pages

MODELS = {
  'paper': {'num_types': 4, 'conv_features': 16},
  'everything': {
    'num_types': 3,
    'conv_features': 8,
    'conv_kernel_size': (4, 5),
    'primary_kernel_size': (4, 3),
    'primary_strides': (3, 2),
    'padding': 'SAME',
    'hidden_capsules': ((6, 5),),
    'routing': {'name': 'dynamic', 'num_iterations': 2, 'leaky': True},
    'learn_log_priors': True,
    'use_capsule_bias': True,
    'primary_scale': 0.5,
    'decoder_sizes': (12,),
  },
}


class Explorer:
  """A page open in the browser, and the model that it runs."""

  def __init__(self, browser, path, fields, *, channels):
    self.browser = browser
    test = load_dataset('digits', data_dir=None).test
    # Each colour has another strength.
    tint = np.array([1, 0.6, 0.3][:channels])
    self.images = (test.images * tint).astype(np.uint8)
    self.labels = test.labels
    self.model = create_model('capsnet', num_classes=10, **fields)
    images = scale_images(self.images[:1])
    params = jax.jit(self.model.init)(jax.random.key(0), images)['params']
    self.params = jax.tree.map(_shaken, params)
    self.apply = jax.jit(self.model.apply)
    page = visualization.explorer_page(
      self.params,
      title='A test of <explorer>',
      footer='made by a test',
      test_images=self.images[:50],
      test_labels=self.labels[:50],
      class_names=[f'<{label}>' for label in range(10)],
      num_iterations=fields.get('routing', {}).get('num_iterations', 3),
      leaky=fields.get('routing', {}).get('leaky', False),
      padding=self.model.padding,
      primary_strides=self.model.primary_strides,
      primary_scale=self.model.primary_scale,
    )
    path.write_text(page, encoding='utf-8')
    browser.get(path.as_uri())
    self.wait('explorer.state.reconstruction')

  def pixels(self):
    """Returns the last input of the network as an image."""
    return self.state()['pixels'].reshape(self.images.shape[1:])

  def script(self, code, *arguments):
    return self.browser.execute_script(f'return {code}', *arguments)

  def wait(self, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not self.script(f'!!({condition})'):
      assert time.monotonic() < deadline, (condition, self.logs())
      time.sleep(0.02)

  def find(self, identifier):
    return self.browser.find_element('id', identifier)

  def logs(self):
    return self.browser.get_log('browser')

  def state(self):
    """Returns the state of the page as arrays."""
    state = self.script(
      '({...explorer.state, pixels: [...explorer.state.pixels], '
      'capsules: [...explorer.state.capsules], '
      'offsets: [...explorer.state.offsets], '
      'reconstruction: [...explorer.state.reconstruction]})'
    )
    return {
      name: np.array(value, np.float32) if isinstance(value, list) else value
      for name, value in state.items()
    }

  def expected(self, pixels, *, label=None, offsets=0):
    """Returns lengths, and a reconstruction with offsets, computed by JAX."""
    images = pixels.reshape(1, *self.images.shape[1:])
    output = self.apply({'params': self.params}, images)
    label = int(output.scores.argmax()) if label is None else label
    capsules = np.zeros_like(output.capsules)
    capsules[0, label] = output.capsules[0, label] + offsets
    decoder = self.model.create_decoder(images.shape[1:])
    params = {'params': self.params['decoder']}
    return output.scores[0], np.ravel(
      decoder.apply(params, jnp.asarray(capsules))
    )


def _shaken(leaf):
  """Adds noise, so that no bias is zero and a missing one shows."""
  rng = np.random.default_rng(leaf.size)
  return np.asarray(leaf + rng.normal(0, 0.05, leaf.shape), np.float32)


@pytest.fixture(scope='module', params=MODELS)
def explorer(browser, tmp_path_factory, request):
  path = tmp_path_factory.mktemp('explorer') / 'explorer.html'
  channels = 3 if request.param == 'everything' else 1
  return Explorer(browser, path, MODELS[request.param], channels=channels)


def test_the_page_computes_what_jax_does(explorer):
  classify = """
    const [pixels, done] = arguments;
    explorer.classify(Float32Array.from(pixels)).then(async (found) => {
      const label = found.lengths.indexOf(Math.max(...found.lengths));
      const dim = explorer.model.capsuleDim;
      const capsule = found.capsules.slice(label * dim, (label + 1) * dim);
      done([found.lengths, [...await explorer.decode(capsule, label)]]);
    });
  """
  same_class = 0
  for image in explorer.images[:100]:
    pixels = np.ravel(image) / np.float32(255)
    found = explorer.browser.execute_async_script(classify, pixels.tolist())
    lengths, reconstruction = map(np.array, found)
    expected_lengths, expected = explorer.expected(pixels)
    np.testing.assert_allclose(lengths, expected_lengths, atol=5e-3)
    if lengths.argmax() == expected_lengths.argmax():
      same_class += 1
      np.testing.assert_allclose(reconstruction, expected, atol=1e-2)
  # An untrained network has near ties, which half precision may break.
  assert same_class >= 97


def test_a_test_image_is_shown_by_number_and_by_thumbnail(explorer):
  from selenium.webdriver.common.keys import Keys

  field = explorer.find('test-image')
  field.send_keys(Keys.CONTROL, 'a')
  field.send_keys('7', Keys.ENTER)
  label = explorer.labels[7]
  explorer.wait(
    f'document.getElementById("test-label").textContent === "label <{label}>"'
  )
  pixels = np.ravel(explorer.images[7]) / np.float32(255)
  explorer.wait('explorer.isIdle()')
  np.testing.assert_allclose(explorer.state()['pixels'], pixels, atol=1e-6)
  thumbnail = explorer.browser.find_element(
    'css selector', '#thumbnails label:nth-child(3) input'
  )
  assert 'test image 2' in thumbnail.get_attribute('aria-label')
  thumbnail.send_keys(Keys.SPACE)
  explorer.wait('document.getElementById("test-image").value === "2"')
  thumbnail.send_keys(Keys.ARROW_RIGHT)
  explorer.wait('document.getElementById("test-image").value === "3"')


def test_a_slider_moves_the_reconstruction_by_keyboard(explorer):
  from selenium.webdriver.common.keys import Keys

  before = explorer.state()
  slider = explorer.find('dimension-3')
  slider.send_keys(Keys.END)
  explorer.wait('explorer.state.offsets[3] === 0.25')
  explorer.find('dimension-1').send_keys(Keys.ARROW_LEFT * 5)
  explorer.wait('explorer.isIdle()')
  after = explorer.state()
  assert after['offsets'][3] == 0.25
  assert after['offsets'][1] == pytest.approx(-0.05)
  assert abs(after['reconstruction'] - before['reconstruction']).max() > 1e-3
  _, expected = explorer.expected(
    after['pixels'], label=after['chosen'], offsets=after['offsets']
  )
  np.testing.assert_allclose(after['reconstruction'], expected, atol=1e-2)
  explorer.find('reset').click()
  explorer.wait('explorer.state.offsets.every((x) => x === 0)')


def test_another_class_is_reconstructed(explorer):
  other = (explorer.state()['winner'] + 4) % 10
  explorer.find(f'class-{other}').click()
  explorer.wait(f'explorer.state.chosen === {other}')
  explorer.wait('explorer.isIdle()')
  state = explorer.state()
  _, expected = explorer.expected(state['pixels'], label=other)
  np.testing.assert_allclose(state['reconstruction'], expected, atol=1e-2)
  assert f'<{other}>' in explorer.find('decoded').text


def test_a_drawing_is_classified_and_centred(explorer):
  from selenium.webdriver import ActionChains

  explorer.find('clear').click()
  explorer.wait('explorer.state.pixels.every((x) => x === 0)')
  explorer.script('window.scrollTo(0, 0)')
  canvas = explorer.find('drawing')
  # A stroke in the upper left quarter, which should be moved to the middle.
  draw = ActionChains(explorer.browser)
  draw.move_to_element_with_offset(canvas, -100, -100).click_and_hold()
  draw.move_by_offset(30, 0).move_by_offset(0, 60).release().perform()
  explorer.wait('explorer.isIdle()')
  state = explorer.state()
  height, width = explorer.images.shape[1:3]
  ink = explorer.pixels()[..., 0]
  assert ink.max() > 0.9
  rows, columns = np.mgrid[:height, :width] + 0.5
  middle = [(ink * x).sum() / ink.sum() for x in (rows, columns)]
  np.testing.assert_allclose(middle, [height / 2, width / 2], atol=0.4)
  lengths, expected = explorer.expected(state['pixels'], label=state['winner'])
  np.testing.assert_allclose(state['lengths'], lengths, atol=5e-3)
  np.testing.assert_allclose(state['reconstruction'], expected, atol=1e-2)
  assert state['milliseconds'] < 500
  # Without centring, it stays where it was drawn.
  explorer.find('centre').click()
  explorer.wait('explorer.isIdle()')
  ink = explorer.pixels()[..., 0]
  assert (ink * columns).sum() / ink.sum() < 0.4 * width
  explorer.find('centre').click()


def test_a_stroke_is_as_thick_as_in_mnist(explorer):
  from selenium.webdriver import ActionChains

  explorer.find('clear').click()
  explorer.script('window.scrollTo(0, 0)')
  draw = ActionChains(explorer.browser)
  draw.move_to_element_with_offset(explorer.find('drawing'), 0, -100)
  # A digit is about so high.
  draw.click_and_hold().move_by_offset(0, 200).release().perform()
  explorer.wait('explorer.isIdle() && explorer.state.winner >= 0')
  height, width = explorer.images.shape[1:3]
  thickness = explorer.pixels()[height // 2, :, 0].sum() * 28 / width
  # From the median to the upper twentieth of MNIST's test images, measured by
  # the distance transform.
  assert 2.4 < thickness < 3.9


def test_after_clear_there_is_no_class(explorer):
  from selenium.webdriver.common.keys import Keys

  explorer.find('thumbnails').find_element('css selector', 'input').send_keys(
    Keys.SPACE
  )
  explorer.wait('explorer.isIdle() && explorer.state.winner >= 0')
  explorer.find('clear').click()
  explorer.wait('explorer.state.pixels.every((x) => x === 0)')
  # Nor does a slider bring back what was there.
  explorer.find('dimension-0').send_keys(Keys.END)
  explorer.wait('explorer.isIdle()')
  assert explorer.find('status').text == 'Nothing is drawn.'
  assert not explorer.script(
    'document.querySelectorAll(".winner, input[name=class]:checked, '
    'input[name=thumbnail]:checked").length'
  )
  lengths = explorer.browser.find_elements('css selector', '.length')
  assert {length.text for length in lengths} == {'–'}
  assert explorer.find('decoded').text == ''
  drawn = explorer.script(
    """(() => {
      const canvas = document.getElementById('reconstruction');
      const {width, height} = canvas;
      const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
      return data.filter((value, k) => k % 4 < 3 && value).length;
    })()"""
  )
  assert drawn == 0


def test_drawing_by_keyboard(explorer):
  from selenium.webdriver.common.keys import Keys

  explorer.find('clear').click()
  explorer.wait('explorer.state.pixels.every((x) => x === 0)')
  canvas = explorer.find('drawing')
  canvas.send_keys(Keys.SPACE, Keys.ARROW_DOWN * 8, Keys.SPACE)
  explorer.wait('explorer.state.pixels.some((x) => x > 0.9)')
  assert 'Pen up, at 50% from the left' in explorer.find('pen').text


def test_tab_goes_from_the_drawing_to_the_sliders(explorer):
  from selenium.webdriver import ActionChains
  from selenium.webdriver.common.keys import Keys

  explorer.script('document.activeElement.blur()')
  explorer.script('window.getSelection().empty()')
  explorer.find('drawing').click()
  explorer.wait('explorer.isIdle() && explorer.state.winner >= 0')
  passed = []
  for _ in range(9):
    passed.append(
      explorer.script(
        'document.activeElement.id || document.activeElement.name'
      )
    )
    ActionChains(explorer.browser).send_keys(Keys.TAB).perform()
  winner = explorer.state()['winner']
  assert passed == [
    *('drawing', 'clear', 'centre', 'test-image', 'thumbnail'),
    *(f'class-{winner}', 'reset', 'dimension-0', 'dimension-1'),
  ]


def test_everything_has_a_name_for_a_screen_reader(explorer):
  tree = explorer.browser.execute_cdp_cmd('Accessibility.getFullAXTree', {})
  names = {}
  for node in tree['nodes']:
    role = node.get('role', {}).get('value')
    names.setdefault(role, []).append(node.get('name', {}).get('value'))
  assert names['meter'] == [f'length of class <{k}>' for k in range(10)]
  for role in ('button', 'checkbox', 'radio', 'slider', 'spinbutton', 'image'):
    assert all(names[role]), role
  # An output element is announced at every change, which would be all of them.
  assert len(names['status']) == 2


@pytest.fixture
def screen(explorer):
  """Shows the page on a screen that the test chooses."""
  yield functools.partial(pages.emulate, explorer.browser)
  pages.end_emulation(explorer.browser)


@pytest.mark.parametrize('scheme', pages.SCHEMES)
@pytest.mark.parametrize('width', pages.WIDTHS)
def test_the_page_fits_the_screen_and_can_be_used_by_everybody(
  explorer, screen, width, scheme, tmp_path
):
  screen(width, scheme)
  assert pages.too_wide(explorer.browser) <= 0
  assert not pages.violations(explorer.browser)
  explorer.script('window.scrollTo(0, 0)')
  path = tmp_path / 'explorer.png'
  assert explorer.browser.save_screenshot(path)
  ground = np.asarray(Image.open(path).convert('L'))[3, 3]
  assert ground > 200 if scheme == 'light' else ground < 50


@pytest.mark.parametrize('scheme', pages.SCHEMES)
def test_the_edges_of_fields_can_be_seen(explorer, screen, scheme):
  screen(1280, scheme)
  colors = explorer.script(
    """[...document.querySelectorAll(
      'button, input[type=number], #drawing, #reconstruction')].map((field) => [
      getComputedStyle(field).borderTopColor,
      getComputedStyle(field.closest('section')).backgroundColor])"""
  )
  assert len(colors) == 5
  for border, ground in colors:
    assert pages.contrast(border, ground) >= 3


@pytest.mark.parametrize('width', pages.WIDTHS)
def test_the_reconstruction_is_in_view_while_a_slider_moves(
  explorer, screen, width
):
  height = 480  # so that not all sliders are in view at once
  screen(width, 'light', height)
  explorer.script('document.activeElement.blur()')
  explorer.script('window.scrollTo(0, 0)')
  dimensions = range(explorer.script('explorer.model.capsuleDim'))
  for dimension in (*dimensions, *reversed(dimensions)):
    explorer.script(f'document.getElementById("dimension-{dimension}").focus()')
    canvas, slider, is_on_top = explorer.script(
      """((slider) => {
        const canvas = document.getElementById('reconstruction');
        const box = slider.getBoundingClientRect();
        const found = document.elementFromPoint(
          box.x + box.width / 2, box.y + box.height / 2);
        return [canvas.getBoundingClientRect(), box, found === slider];
      })(document.activeElement)"""
    )
    assert is_on_top, (dimension, canvas, slider)
    for box in (canvas, slider):
      assert box['top'] >= 0 and box['bottom'] <= height
    assert canvas['width'] >= 100


def test_the_drawing_and_its_reconstruction_are_in_view_together(
  explorer, screen
):
  screen(1280, 'light', 500)
  explorer.script('window.scrollTo(0, 0)')
  for name in ('drawing', 'reconstruction'):
    box = explorer.script(
      f'document.getElementById("{name}").getBoundingClientRect()'
    )
    assert box['top'] >= 0 and box['bottom'] <= 500


def test_names_are_not_taken_for_html(explorer):
  assert explorer.browser.title == 'A test of <explorer>'
  rows = explorer.browser.find_elements('css selector', '.class')
  assert [row.text.split()[0] for row in rows] == [f'<{k}>' for k in range(10)]


def test_nothing_is_fetched_and_nothing_is_wrong(explorer):
  fetched = explorer.script(
    'performance.getEntriesByType("resource").map((entry) => entry.name)'
  )
  assert not [name for name in fetched if not name.startswith('blob:')]
  assert not explorer.logs()
