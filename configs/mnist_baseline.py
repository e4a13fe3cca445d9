"""The paper's convolutional baseline on MNIST: 35.4 million parameters.

    python -m capsjax.main --config configs/mnist_baseline.py

The data (11 MB) are downloaded, or read from `--config.data_dir=DIR`. A step
takes 5.6 s on two cores, and an epoch has 468 steps: train it on a GPU. It was
not trained here. The paper reports an error of 0.39%.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's baseline, trained like its CapsNet."""
  config = base.get_config()
  config.model_name = 'baseline'
  config.model = ConfigDict(
    {
      'conv_features': (256, 256, 128),
      'conv_kernel_sizes': (5, 5, 5),
      'pool_size': 1,
      'dense_sizes': (328, 192),
      'dropout_rate': 0.5,
      'dtype': 'float32',
    }
  )
  config.loss = ConfigDict()
  return config
