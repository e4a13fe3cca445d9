"""The same loss in plain JAX, written simply and optimised by XLA alone.

Uses `lax.conv_general_dilated` and automatic differentiation, and holds all
votes at once. It takes the parameters of `capsjax.CapsNet`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def loss(
  params: Any,
  images: Float[Array, 'batch height width channels'],
  targets: Float[Array, 'batch num_classes'],
  *,
  num_iterations: int = 3,
) -> Float[Array, '']:
  """Computes the mean margin loss plus 0.0005 times the squared error."""
  features = jax.nn.relu(
    _convolution(images, params['conv']['kernel'], 1) + params['conv']['bias']
  )
  primary = params['primary_capsules']
  features = _convolution(features, primary['cell']['kernel'], 2)
  inputs = _squash(
    features.reshape(len(images), -1, *primary['bias'].shape) + primary['bias']
  )
  inputs = inputs.reshape(len(images), -1, inputs.shape[-1])
  votes = jnp.einsum(
    'bid,ijde->bije', inputs, params['class_capsules']['kernel']
  )
  capsules = dynamic_routing(votes, num_iterations=num_iterations)
  lengths = jnp.sqrt(jnp.sum(jnp.square(capsules), -1) + 1e-9)
  margin = targets * jax.nn.relu(0.9 - lengths) ** 2
  margin += 0.5 * (1 - targets) * jax.nn.relu(lengths - 0.1) ** 2
  hidden = (capsules * targets[..., None]).reshape(len(images), -1)
  layers = list(params['decoder'].values())
  for layer in layers[:-1]:
    hidden = jax.nn.relu(hidden @ layer['kernel'] + layer['bias'])
  pixels = jax.nn.sigmoid(hidden @ layers[-1]['kernel'] + layers[-1]['bias'])
  squares = jnp.square(pixels - images.reshape(pixels.shape))
  return jnp.mean(margin.sum(-1) + 0.0005 * squares.sum(-1))


def dynamic_routing(
  votes: Float[Array, 'batch in_caps out_caps dim'], *, num_iterations: int = 3
) -> Float[Array, 'batch out_caps dim']:
  """Procedure 1, with gradients by automatic differentiation."""
  logits = jnp.zeros(votes.shape[:-1], votes.dtype)
  for _ in range(num_iterations):
    couplings = jax.nn.softmax(logits, -1)
    capsules = _squash(jnp.einsum('bij,bije->bje', couplings, votes))
    logits += jnp.einsum('bije,bje->bij', votes, capsules)
  return capsules


def _convolution(images, kernel, stride):
  return lax.conv_general_dilated(
    images,
    kernel,
    (stride, stride),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _squash(s):
  square = jnp.sum(jnp.square(s), -1, keepdims=True)
  return s * (square / (1 + square) * lax.rsqrt(square + 1e-9))
