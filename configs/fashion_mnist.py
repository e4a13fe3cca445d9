"""The paper's CapsNet on Fashion-MNIST.

    python -m capsjax.main --config configs/fashion_mnist.py

The data (31 MB) are downloaded, or read from `--config.data_dir=DIR`. An epoch
takes 5 to 9 minutes on two cores; the test error after three epochs was 13.38%
without the warm-up (`--config.optimizer.warmup_steps=0`).
Shifts slow learning at first: the error after one epoch was 15.86% with them
and 12.79% without (`--config.augmentation.max_shift=0`).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The settings of configs/base.py for Fashion-MNIST."""
  config = base.get_config()
  config.dataset = 'fashion_mnist'
  return config
