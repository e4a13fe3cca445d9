"""Messages for errors that other libraries raise."""

import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError, memory_told


def test_too_little_memory_is_told_in_one_line():
  expected = r'too little memory.*batch_size'
  with pytest.raises(UserError, match=expected) as told, memory_told():
    # A pebibyte, which exceeds 47-bit addresses.
    jnp.zeros(1 << 50, jnp.int8).block_until_ready()
  assert '\n' not in str(told.value)


def test_too_little_memory_of_the_host_is_told():
  with pytest.raises(UserError, match=r'too little memory'), memory_told():
    np.empty(1 << 50, np.int8)


def test_other_errors_are_defects():
  with pytest.raises(RuntimeError, match='something else'), memory_told():
    raise RuntimeError('something else')
