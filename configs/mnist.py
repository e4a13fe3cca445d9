"""The paper's CapsNet on MNIST.

    python -m capsjax.main --config configs/mnist.py

The data (11 MB) are downloaded, or found in `--config.data_dir=DIR`.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's settings."""
  return base.get_config()
