"""The paper's CapsNet on CIFAR10 (section 7).

    python -m capsjax.main --config configs/cifar10.py

The data come from TensorFlow Datasets (`pip install -e '.[tfds]'` and, to
prepare the set once, `pip install tensorflow`). To read class folders of
pictures instead, add `--config.dataset=folder --config.data_dir=DIR`. The paper
reports an error of 10.6% with an ensemble of 7 networks, trained for 600,000
steps: `python -m experiments.cifar10 --size=full`. The capsule bias, initial
values and primary scale are the official code's. A step takes 4 to 6 s on two
cores, and an epoch has 390 steps; after 156 steps on a lossy copy of the data,
the error was 57 to 58% (experiments/README.md).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """24x24 crops, 64 types, a "none of the above" share, no reconstruction."""
  config = base.get_config()
  config.dataset = 'cifar10'
  config.images.crop_size = 24
  config.images.standardize = True
  config.augmentation.max_shift = 0
  config.augmentation.flip = True
  config.augmentation.max_brightness = 63 / 255
  config.augmentation.contrast_range = (0.2, 1.8)
  config.model.num_types = 64
  config.model.padding = 'SAME'
  config.model.routing.leaky = True
  config.model.has_decoder = False
  base.begin_as_official(config)
  # 600,000 steps of 128 images each, from 50,000 images.
  config.num_epochs = 1538
  return config
