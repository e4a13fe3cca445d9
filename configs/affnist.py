"""The paper's CapsNet for the test on affNIST (section 5.2).

    python -m capsjax.main --config configs/affnist.py

Trains on MNIST digits (11 MB, downloaded or read from `--config.data_dir=DIR`)
placed anywhere on 40x40, and stops once 99.23% of test digits placed the same
way are classified correctly. Then evaluate it on digits that are also rotated,
sheared and scaled, which it has never seen: `python -m capsjax.main evaluate
--workdir runs/affnist --config.dataset=affnist` needs affNIST's own file;
`--config.dataset=affine_mnist` transforms MNIST's test digits in the same
ranges. The paper reports an accuracy of 79% on affNIST. An epoch takes 22
minutes on two cores with one evaluation at its end
(`--config.eval_every_epochs=1.0`); after one, the accuracy was 97.07% on digits
placed at random and 69.60% on affine_mnist.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's settings: digits anywhere on 40x40, early stopping."""
  config = base.get_config()
  config.dataset = 'expanded_mnist'
  config.augmentation.max_shift = 6
  config.eval_every_epochs = 0.1
  config.select_best_by = 'test'
  config.stop_at_accuracy = 0.9923
  return config
