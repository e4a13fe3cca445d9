"""The paper's CapsNet on MultiMNIST: overlapping pairs of digits (section 6).

    python -m capsjax.main --config configs/multi_mnist.py

Pairs are composed on the device from MNIST (11 MB, downloaded or read from
`--config.data_dir=DIR`) and never stored; an epoch is 60,000 pairs. An image
counts as correct when its two longest capsules are its two digits. The paper
reports an error of 5.2%, with 60 million training pairs (1000 epochs) and 1,000
test pairs per digit (`--config.pairs.test_pairs=1000`). The capsule bias, the
initial values and the primary scale are the official code's. The official code
also shifts by 6 pixels: `--config.pairs.max_shift=6`. An epoch takes 11 to 17
minutes on two cores; the error after two was 34.73%.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's pairs of digits on 36x36 and slower decay."""
  config = base.get_config()
  config.num_objects = 2
  config.augmentation.max_shift = 0
  base.begin_as_official(config)
  config.num_epochs = 1000
  config.optimizer.decay_steps = 20_000
  return config
