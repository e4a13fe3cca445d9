"""JAX's settings: compilation cache, precision, several hosts, locations."""

import contextlib
import logging
import os
from collections.abc import Iterator

import jax

from capsjax.errors import UserError, one_line
from capsjax.files import cache_dir


def start(
  *,
  distributed: bool = False,
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
  matmul_precision: str = 'default',
) -> None:
  """Sets up JAX; call it before anything else uses a device.

  A process may call it again to change the precision.

  Args:
    distributed: whether this process is one of several.
    coordinator: HOST:PORT of the first process; detected if None, which works
      on TPU pods and under Slurm or Open MPI.
    num_processes: the number of processes, if a coordinator is given.
    process_id: the index of this process, if a coordinator is given.
    matmul_precision: precision of float32 products on a GPU or TPU: 'default'
      (its fast units), 'high' or 'highest' (float32).

  Raises:
    UserError: if the other processes or the devices cannot be reached.
  """
  # With the cache, a second run of the same network starts in seconds.
  if not os.environ.get('JAX_COMPILATION_CACHE_DIR'):
    jax.config.update(
      'jax_compilation_cache_dir', str(cache_dir() / 'compilation')
    )
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  jax.config.update('jax_default_matmul_precision', matmul_precision)
  # Orbax logs every step of a save through absl.
  logging.getLogger('absl').setLevel(logging.WARNING)
  try:
    if distributed:
      jax.distributed.initialize(coordinator, num_processes, process_id)
    jax.devices()
  except (RuntimeError, ValueError) as error:
    raise UserError(f'cannot start JAX: {one_line(error)}') from error


@contextlib.contextmanager
def without_source_locations() -> Iterator[None]:
  """Keeps file names of this machine out of the programs that JAX lowers."""
  name = 'jax_traceback_in_locations_limit'
  before = getattr(jax.config, name)
  jax.config.update(name, 0)
  try:
    yield
  finally:
    jax.config.update(name, before)
