"""Setup of all tests: strict types, shapes and ranks, and two devices."""

import os
import platform
from importlib import metadata
from pathlib import Path

# JAX reads these at import; processes that tests start inherit them.
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR',
  str(
    Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    / 'capsjax'
    / f'tests-jax-{metadata.version("jaxlib")}-py{platform.python_version()}'
  ),
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.2')
# Tests spend most of their time compiling.
os.environ['XLA_FLAGS'] = ' '.join(
  [
    '--xla_backend_optimization_level=0',
    *filter(None, [os.environ.get('XLA_FLAGS')]),
  ]
)
# The tolerances are set for a CPU, so accelerators are not used.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax
import jaxtyping
import pytest

# Not through XLA_FLAGS, which processes that tests start would inherit.
jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_dtype_promotion', 'strict')
jax.config.update('jax_numpy_rank_promotion', 'raise')

# Must precede the first import of capsjax. From here on, every call is checked
# against the shapes and types of its annotations.
jaxtyping.install_import_hook('capsjax', 'beartype.beartype')

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def repository() -> Path:
  """Returns the root of the checkout."""
  return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
  """Returns a folder beside the checkout with real MNIST and Fashion-MNIST."""
  folder = REPOSITORY.parent / 'shared' / 'data'
  if not folder.is_dir():
    pytest.skip(f'no real data sets: {folder} does not exist')
  return folder
