import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.examples import epoch_permutation

KEY = jax.random.key(5)


@pytest.mark.parametrize('size', [1, 2, 97])
def test_every_example_comes_once(size):
  order = epoch_permutation(KEY, 3, size)
  assert order.dtype == jnp.int32
  assert sorted(order.tolist()) == list(range(size))


def test_the_order_depends_on_key_and_epoch_alone():
  orders = [
    tuple(epoch_permutation(jax.random.key(seed), epoch, 50).tolist())
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
  ]
  assert orders[0] == orders[3]
  assert len(set(orders)) == 3


def test_the_epoch_may_be_traced():
  compiled = jax.jit(functools.partial(epoch_permutation, size=20))
  for epoch in (0, 7, 100_000):
    np.testing.assert_array_equal(
      compiled(KEY, jnp.int32(epoch)), epoch_permutation(KEY, epoch, 20)
    )


def test_every_place_is_as_likely():
  epochs = jnp.arange(2000, dtype=jnp.int32)
  order = functools.partial(epoch_permutation, size=5)
  orders = jax.vmap(order, (None, 0))(KEY, epochs)
  counts = np.stack([np.bincount(column, minlength=5) for column in orders.T])
  assert np.abs(counts - 400).max() < 5 * np.sqrt(400 * 0.8)
