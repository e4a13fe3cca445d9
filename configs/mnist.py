"""The paper's CapsNet on MNIST.

    python -m capsjax.main --config configs/mnist.py

The data (11 MB) are downloaded, or found in `--config.data_dir=DIR`. A step
takes 0.53 s on two cores, an epoch 468 steps, and 50 epochs some 4 to 7 hours:
the paper gives no length, and `--config.num_epochs=640` is the official code's.
The test error after three epochs was 0.94%.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The settings of configs/base.py."""
  return base.get_config()
