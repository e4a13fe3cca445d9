"""The spread loss's margin, and losses of activations."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from capsjax.errors import UserError
from capsjax.examples import Batch
from capsjax.models import ModelOutput
from capsjax.training import (
  RunKeys,
  activation_losses,
  create_state,
  create_train_step,
  spread_losses,
  spread_margin,
)
from tests.reference import losses as reference
from tests.training import tiny

SCORES = np.float32([[0.6, 0.5, 0.1], [0.2, 0.7, 0.4]])
TARGETS = np.float32([[1, 0, 0], [0, 0, 1]])
BATCH = Batch(jnp.zeros((2, 4, 4, 1)), jnp.asarray(TARGETS), jnp.ones(2))
OUTPUT = ModelOutput(jnp.asarray(SCORES))


def margin(step, schedule='linear', first=0.2, last=0.9, steps=1000):
  return float(
    spread_margin(
      step,
      margin_schedule=schedule,
      initial_margin=first,
      final_margin=last,
      margin_steps=steps,
    )
  )


def test_a_linear_margin_grows_and_stays():
  found = [margin(step) for step in (0, 500, 1000, 5000)]
  np.testing.assert_allclose(found, [0.2, 0.55, 0.9, 0.9], rtol=1e-5)


def test_the_sigmoid_is_that_of_the_official_code():
  """0.2 + 0.79 * sigmoid(min(10, step / 50000 - 4))."""
  for step in (0, 200_000, 400_000, 900_000):
    exponent = min(10, step / 50_000 - 4)
    expected = 0.2 + 0.79 / (1 + np.exp(-exponent))
    found = margin(step, 'sigmoid', last=0.99, steps=400_000)
    assert found == pytest.approx(expected, rel=1e-5)


def test_an_unknown_schedule_is_refused():
  with pytest.raises(UserError, match="'cubic'; choose linear or sigmoid"):
    margin(3, 'cubic')


def test_training_has_the_margin_of_its_step_and_evaluation_the_last():
  for step, expected in ((0, 0.2), (5000, 0.55), (None, 0.9)):
    losses = spread_losses(OUTPUT, BATCH, step=step)
    of_margin = reference.spread_loss(SCORES, TARGETS, margin=expected)
    np.testing.assert_allclose(losses.total, of_margin, rtol=1e-5)
    np.testing.assert_allclose(losses.classification, of_margin, rtol=1e-5)


def test_a_training_step_tells_its_number():
  seen = []

  def objective(output, batch, *, step):
    seen.append(step)
    return tiny.objective(output, batch)

  model, keys = tiny.model(), RunKeys.create(0)
  state = create_state(
    model, optax.sgd(0.1), keys.init, image_shape=tiny.IMAGE_SHAPE
  )
  split = tiny.split(4)
  batch = Batch(
    jnp.asarray(split.images) / 255.0,
    jnp.eye(tiny.CLASSES)[split.labels],
    jnp.ones(4),
  )
  step = create_train_step(
    model.apply,
    objective,
    optax.sgd(0.1),
    dropout_key=keys.dropout,
    num_labels=1,
  )
  step(state.replace(step=jnp.int32(7)), batch)
  assert seen == [7]


def test_activations_are_probabilities():
  losses = activation_losses(OUTPUT, BATCH)
  np.testing.assert_allclose(losses.total, -np.log([0.6, 0.4]), rtol=1e-5)
