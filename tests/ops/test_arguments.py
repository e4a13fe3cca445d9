"""Arguments of a wrong type or shape are refused in one line that names them.

In a helper process: in this one, annotations are checked too, and come first.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import capsjax
from tests.running import beside

INTEGERS = np.ones((2, 6, 4), np.int32)
IMAGES = np.ones((2, 8, 8, 3), np.float32)
KERNEL = np.ones((3, 3, 3, 5), np.float32)


def refusal(function, *arrays):
  """Returns the message of the ValueError that a public function raises."""
  return beside(_refusal, function, *arrays)


def _refusal(function, *arrays):
  try:
    getattr(capsjax, function)(*map(jnp.asarray, arrays))
  except ValueError as error:
    return str(error)
  return None


@pytest.mark.parametrize(
  ('function', 'arrays', 'name'),
  [
    ('squash', [INTEGERS], 'preactivations'),
    ('lengths', [INTEGERS], 'capsules'),
    ('dynamic_routing', [INTEGERS[None]], 'votes'),
    ('compute_votes', [INTEGERS, INTEGERS[None]], 'inputs'),
    ('fused_dynamic_routing', [INTEGERS, INTEGERS[None]], 'inputs'),
    ('convolution', [IMAGES, KERNEL.astype(np.int32)], 'kernel'),
    ('margin_loss', [INTEGERS, INTEGERS], 'lengths'),
    ('reconstruction_loss', [IMAGES, IMAGES.astype(np.uint8)], 'images'),
  ],
)
def test_integers_are_refused(function, arrays, name):
  message = refusal(function, *arrays)
  assert message.startswith(f'{name} must be floating point'), message
  assert '\n' not in message


@pytest.mark.parametrize(
  ('function', 'arrays', 'words'),
  [
    ('margin_loss', [np.ones(10), np.ones((64, 10))], '(10,) and targets (64,'),
    ('reconstruction_loss', [IMAGES, IMAGES[:1]], '(2, 8, 8, 3) and images (1'),
    ('convolution', [IMAGES[0, 0], KERNEL], '(8, 3) and (3, 3, 3, 5)'),
    ('convolution', [IMAGES, KERNEL[0]], '(2, 8, 8, 3) and (3, 3, 5)'),
    ('convolution', [IMAGES[..., :2], KERNEL], '(2, 8, 8, 2) and (3, 3, 3, 5)'),
    ('convolution', [IMAGES, KERNEL.astype(np.float16)], 'is float16'),
  ],
)
def test_shapes_and_dtypes_that_do_not_fit_are_refused(function, arrays, words):
  message = refusal(function, *arrays)
  assert message is not None and words in message
