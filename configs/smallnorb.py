"""The paper's CapsNet on smallNORB (section 7).

    python -m capsjax.main --config configs/smallnorb.py

The set's own files lie in `--config.data_dir=DIR`, or TensorFlow Datasets
downloads it (250 MB; `pip install -e '.[tfds]'` and, to prepare it once, `pip
install tensorflow`). The stereo pairs of 96x96 are halved to 48x48, and the
network sees 32x32 of them. Reconstruction has MNIST's weight, though of 2,048
values, not 784: the paper names no other. It reports an error of 2.7%. The
capsule bias, the initial values and the primary scale are the official code's.
A step takes 1.6 s on two cores, an epoch 189 steps; not trained here, without
the data.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """MNIST's network, begun as the official code's; random crops."""
  config = base.get_config()
  config.dataset = 'smallnorb'
  config.images.crop_size = 32
  config.augmentation.max_shift = 0
  base.begin_as_official(config)
  config.num_epochs = 200
  return config
