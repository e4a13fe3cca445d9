import jax
import pytest


@pytest.fixture(autouse=True)
def standard_promotion():
  """Allows optax to multiply float32 by int32, unlike capsjax's own code."""
  with jax.numpy_dtype_promotion('standard'):
    yield
