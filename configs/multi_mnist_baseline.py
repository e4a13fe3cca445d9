"""The paper's convolutional baseline on MultiMNIST: 24.6 million parameters.

    python -m capsjax.main --config configs/multi_mnist_baseline.py

The data and test are those of configs/multi_mnist.py; the paper reports an
error of 8.1%. A step takes 5 s on two cores, and an epoch has 468 steps. It was
not trained here.
"""

from ml_collections import ConfigDict

from configs import multi_mnist


def get_config() -> ConfigDict:
  """Two convolutions with pooling and two fully connected layers."""
  config = multi_mnist.get_config()
  config.model_name = 'baseline'
  config.model = ConfigDict(
    {
      'conv_features': (512, 256),
      'conv_kernel_sizes': (9, 5),
      'pool_size': 2,
      'dense_sizes': (1024,),
      # The paper mentions no dropout for this baseline.
      'dropout_rate': 0.0,
      'dtype': 'float32',
    }
  )
  config.loss = ConfigDict()
  return config
