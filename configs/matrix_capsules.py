"""Matrix capsules with EM routing on smallNORB: 316,650 parameters.

    python -m capsjax.main --config configs/matrix_capsules.py

The network, the spread loss and the data are those of "Matrix Capsules with EM
Routing": the stereo pairs are halved from 96x96 to 48x48, training images are
random crops of 32x32 with random brightness and contrast, test images are
central crops, and each image is standardised. The data set's own files are read
from `--config.data_dir=DIR`, or TensorFlow Datasets downloads it (see
configs/smallnorb.py). The paper reports an error of 1.8%, and 2.2% for its
small network: `--config.model.conv_features=64 --config.model.num_types=8
--config.model.capsule_types="(16, 16)"`. It does not give the schedules; the
official code trains for up to two million steps. It was not trained here,
because the data were not available.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """The paper's larger network, with a shorter schedule."""
  config = base.get_config()
  config.dataset = 'smallnorb'
  prepare_as_official(config)
  config.model_name = 'matrix_capsules'
  config.model = ConfigDict(
    sizes()
    | {
      'routing': {
        'name': 'em',
        'num_iterations': 3,
        'inverse_temperature': 0.01,
        'variance_floor': 5e-4,
        'mean_damping': 0.0,
        'beta_u_scale': 1.0,
        'beta_a_scale': 1.0,
      },
    }
  )
  config.loss = ConfigDict(
    {
      'margin_schedule': 'linear',
      'initial_margin': 0.2,
      'final_margin': 0.9,
      'margin_steps': 10_000,
    }
  )
  config.batch_size = 64
  config.num_epochs = 100
  config.optimizer.learning_rate = 3e-3
  config.optimizer.decay_steps = 2000
  return config


def sizes() -> dict[str, object]:
  """Returns the sizes of the paper's larger network."""
  return {
    'conv_features': 32,
    'conv_kernel_size': (5, 5),
    'conv_strides': (2, 2),
    'num_types': 32,
    'capsule_types': (32, 32),
    'capsule_kernel_sizes': (3, 3),
    'capsule_strides': (2, 1),
    'pose_side': 4,
    'competes_everywhere': True,
    'coordinate_scale': 1.0,
    'dtype': 'float32',
  }


def prepare_as_official(config: ConfigDict) -> None:
  """Prepares smallNORB's images as the official code does.

  Args:
    config: changed in place.
  """
  config.images.crop_size = 32
  config.images.standardize = True
  config.augmentation.max_shift = 0
  config.augmentation.max_brightness = 63 / 255
  config.augmentation.contrast_range = (0.2, 1.8)
