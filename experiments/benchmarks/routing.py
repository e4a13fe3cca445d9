"""Routing alone, from inputs and kernel: ours, plain JAX, PyTorch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import capsjax
from experiments.benchmarks import naive


def calls(
  *,
  batch: int,
  in_caps: int = 1152,
  out_caps: int = 10,
  num_iterations: int = 3,
  backward: bool = True,
  dtype: str = 'float32',
  with_torch: bool = False,
) -> dict[str, Callable[[], Any]]:
  """Returns a function per contender, by name, that routes the same capsules.

  Args:
    batch: the number of examples.
    in_caps: the number of input capsules, of dimension 8.
    out_caps: the number of output capsules, of dimension 16.
    num_iterations: the number of routing iterations.
    backward: whether to also compute the gradients of inputs and kernel, for a
      fixed cotangent of the capsules.
    dtype: 'float32' or 'bfloat16'.
    with_torch: whether PyTorch takes part.
  """
  rng = np.random.default_rng(0)
  inputs, kernel, cotangent = (
    rng.normal(size=shape).astype(np.float32) * scale
    for shape, scale in (
      ((batch, in_caps, 8), 0.3),
      ((in_caps, out_caps, 8, 16), 0.1),
      ((batch, out_caps, 16), 1.0),
    )
  )

  def plain(inputs, kernel, *, num_iterations):
    votes = jnp.einsum('bid,ijde->bije', inputs, kernel)
    return naive.dynamic_routing(votes, num_iterations=num_iterations)

  def prepare(routing_fn):
    def forward(inputs, kernel):
      return routing_fn(inputs, kernel, num_iterations=num_iterations)

    def both(inputs, kernel, cotangent):
      capsules, pullback = jax.vjp(forward, inputs, kernel)
      return capsules, *pullback(cotangent)

    arrays = [jnp.asarray(a, dtype) for a in (inputs, kernel, cotangent)]
    if backward:
      compiled = jax.jit(both)
      return lambda: compiled(*arrays)
    compiled = jax.jit(forward)
    return lambda: compiled(*arrays[:2])

  ways = {
    'capsjax': prepare(capsjax.fused_dynamic_routing),
    'plain JAX': prepare(plain),
  }
  if with_torch:
    ways['PyTorch'] = _torch_call(
      inputs, kernel, cotangent, num_iterations, backward, dtype
    )
  return ways


def _torch_call(inputs, kernel, cotangent, num_iterations, backward, dtype):
  import torch

  from experiments.benchmarks import torch_peer

  device = 'cuda' if jax.default_backend() == 'gpu' else 'cpu'
  inputs, kernel, cotangent = (
    torch.from_numpy(a).to(device, getattr(torch, dtype))
    for a in (inputs, kernel, cotangent)
  )
  inputs.requires_grad_(backward)
  kernel.requires_grad_(backward)

  def call():
    with torch.set_grad_enabled(backward):
      votes = torch.einsum('bid,ijde->bije', inputs, kernel)
      capsules = torch_peer.dynamic_routing(
        votes, num_iterations=num_iterations
      )
    results = [capsules]
    if backward:
      results += torch.autograd.grad(capsules, (inputs, kernel), cotangent)
    if device == 'cuda':
      torch.cuda.synchronize()
    return results

  return call
