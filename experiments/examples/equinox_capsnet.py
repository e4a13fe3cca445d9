"""The paper's network in Equinox: written for one image, and vmapped.

Trains five steps on scikit-learn's digits and prints their losses:

  python -m experiments.examples.equinox_capsnet
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.nn import initializers
from jaxtyping import Array, Float, Key

from capsjax import ops
from capsjax.data import load_digits


class CapsNet(eqx.Module):
  """Convolution, primary capsules and class capsules, without the decoder."""

  conv_kernel: Float[Array, '9 9 channels conv_features']
  conv_bias: Float[Array, ' conv_features']
  primary_kernel: Float[Array, '9 9 conv_features types_times_dim']
  primary_bias: Float[Array, 'num_types primary_dim']
  class_kernel: Float[Array, 'in_caps num_classes primary_dim capsule_dim']

  def __init__(
    self,
    key: Key[Array, ''],
    *,
    image_shape: tuple[int, int, int] = (28, 28, 1),
    conv_features: int = 256,
    num_types: int = 32,
    primary_dim: int = 8,
    num_classes: int = 10,
    capsule_dim: int = 16,
  ):
    height, width, channels = image_shape
    # What two 9x9 convolutions leave, the second with stride 2.
    in_caps = ((height - 15) // 2) * ((width - 15) // 2) * num_types
    keys = jax.random.split(key, 3)
    fan_in, normal = initializers.lecun_normal(), initializers.normal(0.1)
    self.conv_kernel = fan_in(keys[0], (9, 9, channels, conv_features))
    self.conv_bias = jnp.zeros(conv_features)
    self.primary_kernel = fan_in(
      keys[1], (9, 9, conv_features, num_types * primary_dim)
    )
    self.primary_bias = jnp.zeros((num_types, primary_dim))
    self.class_kernel = normal(
      keys[2], (in_caps, num_classes, primary_dim, capsule_dim)
    )

  def __call__(
    self, image: Float[Array, 'height width channels']
  ) -> Float[Array, 'num_classes capsule_dim']:
    """Returns the class capsules of one image."""
    features = ops.convolution(image, self.conv_kernel) + self.conv_bias
    primary = ops.convolution(
      jax.nn.relu(features), self.primary_kernel, strides=(2, 2)
    )
    primary = primary.reshape(-1, *self.primary_bias.shape) + self.primary_bias
    capsules = ops.squash(primary).reshape(-1, primary.shape[-1])
    return ops.fused_dynamic_routing(capsules, self.class_kernel)


def mean_loss(model, images, targets):
  """Returns the mean margin loss of a batch."""
  capsules = jax.vmap(model)(images)
  return ops.margin_loss(ops.lengths(capsules), targets).mean()


def train(
  model: CapsNet, *, num_steps: int = 5, batch_size: int = 64
) -> tuple[CapsNet, list[float]]:
  """Returns the trained model, and the loss before each step."""
  # At 1e-3, Adam's first steps would saturate the primary capsules.
  optimizer = optax.adam(1e-4)

  @eqx.filter_jit
  def step(model, state, images, targets):
    loss, grads = eqx.filter_value_and_grad(mean_loss)(model, images, targets)
    updates, state = optimizer.update(grads, state)
    return eqx.apply_updates(model, updates), state, loss

  digits = load_digits().train
  state = optimizer.init(eqx.filter(model, eqx.is_array))
  losses = []
  for start in range(0, num_steps * batch_size, batch_size):
    batch = slice(start, start + batch_size)
    images = jnp.float32(digits.images[batch]) / 255
    targets = jax.nn.one_hot(digits.labels[batch], 10)
    model, state, loss = step(model, state, images, targets)
    losses.append(float(loss))
  return model, losses


if __name__ == '__main__':
  _, losses = train(CapsNet(jax.random.key(0)))
  print('losses:', *(f'{loss:.3f}' for loss in losses))
