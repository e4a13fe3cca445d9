"""What every test runs under: strict types, shapes, ranks, and two devices."""

import os
import platform
from importlib import metadata
from pathlib import Path

# JAX reads these when it is imported, and so do processes that tests start.
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR',
  str(
    Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    / 'capsjax'
    / f'tests-jax-{metadata.version("jaxlib")}-py{platform.python_version()}'
  ),
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.2')
# Most of a test's time is compilation.
os.environ['XLA_FLAGS'] = ' '.join(
  [
    '--xla_backend_optimization_level=0',
    *filter(None, [os.environ.get('XLA_FLAGS')]),
  ]
)
# The tolerances are a CPU's; an accelerator that is there is not used.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax
import jaxtyping
import pytest

# Not by XLA_FLAGS: a process that a test starts has as many as it asks for.
jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_dtype_promotion', 'strict')
jax.config.update('jax_numpy_rank_promotion', 'raise')

# Must come before the first import of capsjax: from here on every call is
# checked against the shapes and types of its annotations.
jaxtyping.install_import_hook('capsjax', 'beartype.beartype')

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def repository() -> Path:
  """The checkout's root."""
  return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
  """A folder beside the checkout with the real MNIST and Fashion-MNIST."""
  folder = REPOSITORY.parent / 'shared' / 'data'
  if not folder.is_dir():
    pytest.skip(f'no real data sets: {folder} does not exist')
  return folder
