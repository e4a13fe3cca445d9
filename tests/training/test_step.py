import jax
import jax.numpy as jnp
import numpy as np
import optax

from capsjax.examples import Batch
from capsjax.models import BaselineCNN
from capsjax.training import RunKeys, create_state, create_train_step
from tests.reference import losses as reference
from tests.training import tiny

KEYS = RunKeys.create(3)


def batch(size=6):
  split = tiny.split(size)
  return Batch(
    jnp.asarray(split.images) / 255.0,
    jax.nn.one_hot(split.labels, tiny.CLASSES),
    jnp.ones(size),
  )


def step_of(model, objective, optimizer):
  return create_train_step(
    model.apply, objective, optimizer, dropout_key=KEYS.dropout, num_labels=1
  )


def test_step_moves_against_the_gradient_of_the_mean_loss():
  """Compares plain gradient descent with finite differences of the loss."""
  model, optimizer, data = tiny.model(), optax.sgd(1.0), batch()
  state = create_state(
    model, optimizer, KEYS.init, image_shape=tiny.IMAGE_SHAPE
  )
  new_state, metrics = jax.jit(step_of(model, tiny.objective, optimizer))(
    state, data
  )

  def loss(params):
    output = model.apply({'params': params}, data.images, data.targets)
    margin = reference.margin_loss(
      np.asarray(output.scores), np.asarray(data.targets)
    )
    error = np.asarray(output.reconstructions) - np.asarray(data.images)
    return np.mean(margin + 0.0005 * (error**2).sum((1, 2, 3)))

  np.testing.assert_allclose(metrics.compute().loss, loss(state.params), 1e-5)
  step = jax.tree.map(
    lambda new, old: new - old, new_state.params, state.params
  )
  square = sum(float(jnp.sum(x**2)) for x in jax.tree.leaves(step))
  h = 1e-2
  along = [
    loss(jax.tree.map(lambda p, s, e=e: p + e * h * s, state.params, step))
    for e in (-1, 1)
  ]
  # The step is the negative gradient, so the slope of the loss along it is
  # minus its squared norm.
  np.testing.assert_allclose((along[1] - along[0]) / (2 * h), -square, 2e-2)
  assert new_state.step == 1


def test_dropout_follows_the_step():
  model = BaselineCNN(
    num_classes=tiny.CLASSES,
    conv_features=(4,),
    conv_kernel_sizes=(3,),
    dense_sizes=(32,),
  )
  seen = []

  def objective(output, data, *, step):
    from capsjax.training import cross_entropy_losses

    seen.append(output)
    return cross_entropy_losses(output, data)

  optimizer = optax.sgd(0.0)
  state = create_state(
    model, optimizer, KEYS.init, image_shape=tiny.IMAGE_SHAPE
  )
  step = jax.jit(step_of(model, objective, optimizer))
  data = batch()
  state_1, first = step(state, data)
  _, again = step(state, data)
  _, second = step(state_1, data)
  assert first.loss == again.loss
  assert first.loss != second.loss, 'the same values are dropped in each step'
