"""The paper's CapsNet on MNIST.

    python -m capsjax.main --config configs/mnist.py

The data (11 MB) are downloaded, or found in `--config.data_dir=DIR`. A step
takes 0.8 s on two idle cores, an epoch 468 steps; the test error after three
epochs was 0.94%.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's settings."""
  return base.get_config()
