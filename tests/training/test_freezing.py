"""Frozen parts keep every bit; the others are trained as ever."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.examples import Batch
from capsjax.training import (
  RunKeys,
  create_optimizer,
  create_state,
  create_train_step,
  freeze,
)
from tests.training import tiny

KEYS = RunKeys.create(3)
PARAMS = {'conv': {'bias': jnp.ones(3)}, 'decoder': {'kernel': jnp.ones(2)}}
# Adding 0 changes the sign of the second and may flush the next two to 0.
BIASES = np.float32([0.0, -0.0, 1e-45, -1e-40, 0.1, -0.1])


def train(names, use_epsilon_hat):
  """Takes a step; returns the parameters before and after."""
  split, model = tiny.split(6), tiny.model()
  batch = Batch(
    jnp.asarray(split.images) / 255.0,
    jax.nn.one_hot(split.labels, tiny.CLASSES),
    jnp.ones(6),
  )
  optimizer = freeze(
    create_optimizer(lambda step: 0.01, use_epsilon_hat=use_epsilon_hat), names
  )
  state = create_state(
    model, optimizer, KEYS.init, image_shape=tiny.IMAGE_SHAPE
  )
  start = jax.device_get(state.params)
  start['conv'] = {**start['conv'], 'bias': BIASES}
  step = create_train_step(
    model.apply,
    tiny.objective,
    optimizer,
    dropout_key=KEYS.dropout,
    num_labels=1,
  )
  state = state.replace(params=start)
  # Not compiled: XLA would leave out the addition of 0, which the step avoids.
  state, _ = step(state, batch)
  return start, jax.device_get(state.params)


@pytest.mark.parametrize('use_epsilon_hat', [False, True])
def test_frozen_parts_keep_every_bit(use_epsilon_hat):
  start, end = train(('conv', 'decoder'), use_epsilon_hat)
  is_same = jax.tree.map(lambda a, b: a.tobytes() == b.tobytes(), start, end)
  for part, same in is_same.items():
    is_frozen = part in ('conv', 'decoder')
    assert set(jax.tree.leaves(same)) == {is_frozen}, part


def test_the_optimiser_has_no_state_of_frozen_parts():
  adam = create_optimizer(lambda step: 0.1)
  only = {'decoder': PARAMS['decoder']}
  frozen = freeze(adam, ('conv',)).init(PARAMS)
  assert jax.tree.structure(frozen) == jax.tree.structure(adam.init(only))
  free = freeze(adam, ()).init(PARAMS)
  assert jax.tree.structure(free) == jax.tree.structure(adam.init(PARAMS))


@pytest.mark.parametrize(
  ('names', 'hint'),
  [
    (('konv',), "has 'konv', but .* did you mean conv?"),
    (('conv', 'capsules'), 'did you mean conv or decoder?'),
    (('decoder', 'conv'), 'every part of the network'),
  ],
)
def test_names_that_cannot_be_frozen_are_told(names, hint):
  with pytest.raises(UserError, match=hint):
    freeze(create_optimizer(lambda step: 0.1), names).init(PARAMS)
