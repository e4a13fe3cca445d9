import jax
import pytest


@pytest.fixture(autouse=True)
def standard_promotion():
  """optax multiplies float32 by int32; the strict rule is for our own code."""
  with jax.numpy_dtype_promotion('standard'):
    yield
