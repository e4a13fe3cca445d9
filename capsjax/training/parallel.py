"""Data parallelism: the only module that knows the number of devices.

The state, data and metrics are replicated on every device and have no device
axis. Batches are split over the devices, and only gradients and metrics are
communicated. In a multi-process run, each process drives its own devices and
holds all of the data.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Array, Int32

from capsjax.errors import UserError
from capsjax.examples import DeviceData
from capsjax.training.evaluation import EvalStep, EvaluateFn
from capsjax.training.state import TrainState
from capsjax.training.step import Steps

#: The name of the axis over which gradients are averaged.
DEVICE_AXIS = 'devices'


@runtime_checkable
class TrainFn(Protocol):
  """Takes training steps on all devices."""

  def __call__(
    self,
    state: TrainState,
    data: DeviceData,
    permutation: Int32[Array, '*seeds size'],
    num_steps: int,
  ) -> tuple[TrainState, Any]:
    """Takes the next steps of an epoch.

    Args:
      state: the initial state, on every device; its buffers are donated.
      data: the training split, on every device.
      permutation: the order of the examples in this epoch.
      num_steps: number of steps; must not run past the end of the epoch.

    Returns:
      The final state, and the metrics of all steps, each per seed if several
      seeds are trained at once.
    """


# Takes a few seconds on a slow accelerator; on any, far longer than launching a
# call.
_MOST_BATCHES_PER_CALL = 128


class Devices:
  """The devices of a run.

  Attributes:
    count: number of devices in all processes.
    platform: 'cpu', 'gpu' or 'tpu'.
    description: human-readable description.

  Args:
    limit: number of devices to use, from the first; 0 for all.

  Raises:
    UserError: there are fewer devices than `limit`, or it is set in a
      multi-process run.
  """

  def __init__(self, *, limit: int = 0) -> None:
    devices = jax.devices()
    if limit > len(devices):
      raise UserError(
        f'num_devices={limit}, but there are only {len(devices)} '
        f'{devices[0].platform} devices; ask for fewer, or 0 for all of them'
      )
    if limit and jax.process_count() > 1:
      raise UserError('num_devices must be 0 in a run of several processes')
    self._devices = devices[:limit] if limit else devices
    self._local = [
      d for d in self._devices if d.process_index == jax.process_index()
    ]
    self.count = len(self._devices)
    self.platform = self._devices[0].platform
    kind = self._devices[0].device_kind
    self.description = f'{self.count} x {self.platform} ({kind})'

  def share(self, batch_size: int) -> int:
    """Returns the number of examples of a batch per device.

    Raises:
      UserError: the batch cannot be shared equally.
    """
    if batch_size % self.count:
      nearest = max(1, round(batch_size / self.count)) * self.count
      fitting = math.gcd(batch_size, self.count)
      raise UserError(
        f'batch_size={batch_size} cannot be shared equally by {self.count} '
        f'devices; try --config.batch_size={nearest}, or fewer devices: '
        f'--config.num_devices={fitting}'
      )
    return batch_size // self.count

  def batches_per_call(self, num_batches: int) -> int:
    """Returns how many of `num_batches` batches to process per compiled call.

    One on a CPU, where calls are cheap and XLA's code is slower inside a loop.
    """
    if self.platform == 'cpu':
      return 1
    num_calls = -(-num_batches // _MOST_BATCHES_PER_CALL)
    return -(-num_batches // num_calls)

  def multiple(self, batch_size: int) -> int:
    """Rounds a batch size up to a multiple of the number of devices."""
    return -(-batch_size // self.count) * self.count

  def agree(
    self, flags: Callable[[], tuple[bool, ...]]
  ) -> Callable[[], tuple[bool, ...]]:
    """Asks all processes which flags are set in any of them.

    A collective operation: all processes must ask. Asking does not block, since
    the reduction is queued on the devices behind their current work.

    Args:
      flags: returns the flags of this process.

    Returns:
      A function that waits for the answer and returns whether each flag is set
      in any process. In a single-process run it is `flags` itself, so it
      returns the flags at the time of reading.
    """
    if jax.process_count() == 1:
      return flags
    mesh = jax.sharding.Mesh(np.array(self._devices), (DEVICE_AXIS,))
    by_device = jax.sharding.NamedSharding(
      mesh, jax.sharding.PartitionSpec(DEVICE_AXIS)
    )
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    mine = np.tile(np.array(flags()), (len(self._local), 1))
    asked = jax.make_array_from_process_local_data(by_device, mine)
    answer = _any_row(asked, everywhere)
    return lambda: tuple(np.asarray(answer.addressable_data(0)).tolist())

  def require_same(self, number: int, what: str) -> None:
    """Checks that all processes pass the same number.

    Raises:
      UserError: the numbers differ; the message says what they are.
    """
    if jax.process_count() > 1:
      numbers = multihost_utils.process_allgather(np.array(number)).tolist()
      if len(set(numbers)) > 1:
        raise UserError(
          f'the processes have different {what}: {numbers}; give them a '
          '--workdir in a folder that all of them share'
        )

  def replicate(self, tree: Any) -> Any:
    """Puts a pytree of arrays on every local device."""
    mesh = jax.sharding.Mesh(np.array(self._local), (DEVICE_AXIS,))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.device_put(tree, everywhere)

  def train_fn(self, steps: Steps) -> TrainFn:
    """Compiles a function that takes many training steps in one call.

    Args:
      steps: takes steps on one device, with the axis name `DEVICE_AXIS`.

    Returns:
      The function, which is compiled once per number of steps.
    """

    def run(device, state, data, permutation, num_steps):
      return steps(state, data, permutation, device, num_steps)

    mapped = self._pmap(run, mapped=1, arguments=5, donated=(1,), static=(4,))

    def train(state, data, permutation, num_steps):
      return mapped(self._indices(), state, data, permutation, num_steps)

    return train

  def eval_fn(self, eval_step: EvalStep) -> EvaluateFn:
    """Compiles a function that evaluates many batches in one call.

    Args:
      eval_step: evaluates one batch on one device.

    Returns:
      `evaluate(variables, data, indices, weights, metrics)`, which adds the
      metrics of some examples to `metrics`. `indices` and `weights` have the
      shape `[batches, batch_size]`.
    """

    def run(indices, weights, variables, data, before):
      metrics = jax.lax.map(
        lambda batch: eval_step(variables, data, *batch), (indices, weights)
      )
      metrics = jax.tree.map(lambda m: m.sum(0), metrics)
      return before.merge(jax.lax.psum(metrics, DEVICE_AXIS))

    mapped = self._pmap(run, mapped=2, arguments=5)

    def evaluate(variables, data, indices, weights, metrics):
      shards = self._shard(indices), self._shard(weights)
      return mapped(*shards, variables, data, metrics)

    return evaluate

  def _pmap(self, function, *, mapped, arguments, donated=(), static=()):
    return jax.pmap(
      function,
      axis_name=DEVICE_AXIS,
      in_axes=(0,) * mapped + (None,) * (arguments - mapped),
      out_axes=None,
      devices=None if jax.process_count() > 1 else self._devices,
      donate_argnums=donated,
      static_broadcasted_argnums=static,
    )

  def _indices(self):
    """Returns the indices of this process's devices among all devices."""
    local = {device.id for device in self._local}
    return np.array(
      [i for i, d in enumerate(self._devices) if d.id in local], np.int32
    )

  def _shard(self, array):
    """Returns this process's part of `[batches, batch]`, device axis first."""
    batches, size = array.shape
    shares = array.reshape(batches, self.count, self.share(size))
    return shares.swapaxes(0, 1)[self._indices()]


@functools.partial(jax.jit, static_argnums=1)
def _any_row(flags, sharding):
  return jax.lax.with_sharding_constraint(jnp.any(flags, 0), sharding)
