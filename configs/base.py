"""What every experiment starts from: the paper's network and training.

A leaf changes a few fields; any field can be set on the command line:

    python -m capsjax.main --config configs/mnist.py --config.batch_size=64
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """The paper's settings for MNIST; the official code's where it has none."""
  config = ConfigDict()

  # Fixes initial parameters, order of the images, shifts and dropout.
  config.seed = 0

  # 'mnist', 'fashion_mnist', 'digits', or the name of a TFDS data set.
  config.dataset = 'mnist'
  # Where the data are, or are downloaded to; a folder in the user's cache if
  # empty.
  config.data_dir = ''
  # So many training images are held out to choose the best checkpoint by.
  config.validation_size = 0
  # Training images are shifted by up to so many pixels in each direction.
  config.max_shift = 2

  # 'capsnet' or 'baseline'; `model` holds the fields of that module.
  config.model_name = 'capsnet'
  config.model = ConfigDict(
    {
      # Dimension of a class capsule.
      'capsule_dim': 16,
      # The first convolution.
      'conv_features': 256,
      'conv_kernel_size': (9, 9),
      # Primary capsules: types, dimension, and their convolution.
      'num_types': 32,
      'primary_dim': 8,
      'primary_kernel_size': (9, 9),
      'primary_strides': (2, 2),
      # 'VALID' or 'SAME', of both convolutions.
      'padding': 'VALID',
      # (number, dimension) of capsule layers between primary and class ones.
      'hidden_capsules': (),
      # Routing: softmaxes over the parents, gradient through the last one
      # only, a "none of the above" share, learned initial logits.
      'num_iterations': 3,
      'stop_gradient': False,
      'leaky': False,
      'learn_log_priors': False,
      # The official code: 1 / num_types, True, 'official'.
      'primary_scale': 1.0,
      'use_capsule_bias': False,
      'initialization': 'fan_in',
      # The decoder and its hidden layers.
      'has_decoder': True,
      'decoder_sizes': (512, 1024),
      # Of the computation: 'float32' or 'bfloat16'; parameters are float32.
      'dtype': 'float32',
    }
  )

  # Margin loss (Eq. 4) and the weights of both losses.
  config.loss = ConfigDict(
    {
      'positive_margin': 0.9,
      'negative_margin': 0.1,
      'down_weight': 0.5,
      # The official code: 0.05.
      'margin_weight': 1.0,
      # Of the sum of squared differences over the pixels.
      'reconstruction_weight': 0.0005,
    }
  )

  config.batch_size = 128
  config.num_epochs = 50
  config.optimizer = ConfigDict(
    {
      'learning_rate': 1e-3,
      # 'exponential' (decay_rate ** (step / decay_steps)), 'per_epoch',
      # 'milestones' (at these epochs) or 'constant'.
      'schedule': 'exponential',
      'decay_rate': 0.96,
      'decay_steps': 2000,
      'milestones': (),
      'min_learning_rate': 1e-6,
    }
  )

  # Uses only so many devices; all of them if 0.
  config.num_devices = 0
  # Of float32 products on a GPU or TPU: 'default' (TF32 on a GPU, bfloat16 on a
  # TPU: their fast units), 'high', or 'highest' (float32); a CPU's are float32.
  config.matmul_precision = 'default'
  # Steps taken on the device without the host; 0 chooses by the platform.
  config.steps_per_call = 0

  config.pictures = ConfigDict(
    {
      # `reconstruct`: so many images predicted right, and so many wrong.
      'num_images': 20,
      # `perturb`: a dimension is changed by -range to range, in so many values.
      'perturbation_range': 0.25,
      'perturbation_steps': 11,
    }
  )

  config.eval_every_epochs = 1
  # 'validation', or 'test' to choose the best checkpoint by the test set: a
  # choice that no reported test error should rest on.
  config.select_best_by = 'validation'
  config.log_every_steps = 50
  config.checkpoint_every_seconds = 120.0

  return config
