"""The paper's network in Haiku, on batches of images.

Trains five steps on scikit-learn's digits and prints their losses:

  python -m experiments.examples.haiku_capsnet
"""

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from capsjax import ops
from capsjax.data import load_digits


@dataclasses.dataclass
class CapsNet(hk.Module):
  """Convolution, primary capsules and class capsules, without the decoder."""

  conv_features: int = 256
  num_types: int = 32
  primary_dim: int = 8
  num_classes: int = 10
  capsule_dim: int = 16

  def __call__(
    self, images: Float[Array, 'batch height width channels']
  ) -> Float[Array, 'batch num_classes capsule_dim']:
    """Returns the class capsules of each image."""
    features = self._convolve('conv', images, (self.conv_features,))
    features = jax.nn.relu(features)
    types = (self.num_types, self.primary_dim)
    primary = self._convolve('primary', features, types, strides=(2, 2))
    capsules = ops.squash(primary).reshape(len(images), -1, self.primary_dim)
    class_kernel = hk.get_parameter(
      'class_kernel',
      (capsules.shape[1], self.num_classes, self.primary_dim, self.capsule_dim),
      init=hk.initializers.RandomNormal(0.1),
    )
    return ops.fused_dynamic_routing(capsules, class_kernel)

  def _convolve(self, name, images, out_shape, **options):
    """Maps the channels of 9x9 windows to an array of `out_shape`."""
    kernel = hk.get_parameter(
      f'{name}_kernel',
      (9, 9, images.shape[-1], math.prod(out_shape)),
      init=hk.initializers.VarianceScaling(),
    )
    bias = hk.get_parameter(f'{name}_bias', out_shape, init=jnp.zeros)
    features = ops.convolution(images, kernel, **options)
    return features.reshape(*features.shape[:-1], *out_shape) + bias


def capsnet(**sizes: int) -> hk.Transformed:
  """Returns the network as a pair of functions, `init` and `apply`."""
  network = hk.transform(lambda images: CapsNet(**sizes)(images))
  return hk.without_apply_rng(network)


def train(
  key: Key[Array, ''],
  network: hk.Transformed,
  *,
  num_steps: int = 5,
  batch_size: int = 64,
) -> tuple[hk.Params, list[float]]:
  """Returns the trained parameters, and the loss before each step."""
  # At 1e-3, Adam's first steps would saturate the primary capsules.
  optimizer = optax.adam(1e-4)

  def mean_loss(params, images, targets):
    capsules = network.apply(params, images)
    return ops.margin_loss(ops.lengths(capsules), targets).mean()

  @jax.jit
  def step(params, state, images, targets):
    loss, grads = jax.value_and_grad(mean_loss)(params, images, targets)
    updates, state = optimizer.update(grads, state)
    return optax.apply_updates(params, updates), state, loss

  digits = load_digits().train
  params = network.init(key, jnp.zeros((1, 28, 28, 1)))
  state = optimizer.init(params)
  losses = []
  for start in range(0, num_steps * batch_size, batch_size):
    batch = slice(start, start + batch_size)
    images = jnp.float32(digits.images[batch]) / 255
    targets = jax.nn.one_hot(digits.labels[batch], 10)
    params, state, loss = step(params, state, images, targets)
    losses.append(float(loss))
  return params, losses


if __name__ == '__main__':
  _, losses = train(jax.random.key(0), capsnet())
  print('losses:', *(f'{loss:.3f}' for loss in losses))
