"""Efficient-CapsNet on MNIST: 161,824 parameters and a decoder.

    python -m capsjax.main --config configs/efficient_capsnet.py

It routes by self-attention in one pass, without iterations. The loss, the
learning rate, the batch of 16 and the 150 epochs are those of the authors'
code. As there, training images are rotated, scaled and shifted, and a square of
4x4 pixels is erased; here all amounts are uniform.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """Efficient-CapsNet with its authors' training."""
  config = base.get_config()
  config.model_name = 'efficient_capsnet'
  config.model = ConfigDict(
    {
      'capsule_dim': 16,
      'conv_features': (32, 64, 64, 128),
      'conv_kernel_sizes': (5, 3, 3, 3),
      'conv_strides': (1, 1, 1, 2),
      'num_primary': 16,
      'primary_dim': 8,
      'has_decoder': True,
      'decoder_sizes': (512, 1024),
      'dtype': 'float32',
    }
  )
  config.augmentation.max_rotation = 15.0
  config.augmentation.scale_range = (0.85, 1.1)
  config.augmentation.erase_size = 4
  config.batch_size = 16
  config.num_epochs = 150
  config.optimizer.learning_rate = 5e-4
  config.optimizer.schedule = 'per_epoch'
  config.optimizer.decay_rate = 0.97
  config.optimizer.min_learning_rate = 5e-5
  config.optimizer.warmup_steps = 0
  return config
