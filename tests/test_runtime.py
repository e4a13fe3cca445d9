"""The settings that a command makes before it uses a device."""

import subprocess
import sys

import pytest

START = """
import sys
from capsjax import runtime
runtime.start(
  distributed=False,
  coordinator=None,
  num_processes=None,
  process_id=None,
  matmul_precision=sys.argv[1],
)
import jax
import jax.numpy as jnp
print(jax.make_jaxpr(jnp.matmul)(jnp.ones((2, 2)), jnp.ones((2, 2))))
"""


@pytest.mark.parametrize(
  ('name', 'expected'),
  [('default', 'Precision.DEFAULT'), ('highest', 'Precision.HIGHEST')],
)
def test_precision_of_products(repository, name, expected):
  # In a new process, because JAX's setting applies to the whole process.
  done = subprocess.run(
    [sys.executable, '-c', START, name],
    cwd=repository,
    check=True,
    capture_output=True,
    text=True,
  )
  assert expected in done.stdout
