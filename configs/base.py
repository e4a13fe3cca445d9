"""What every experiment starts from: the paper's network and training.

A leaf changes a few fields; any field can be set on the command line:

    python -m capsjax.main --config configs/mnist.py --config.batch_size=64
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """The paper's settings for MNIST; the official code's where it has none.

  The length and the initial values are neither's: the paper gives none, and the
  official code's are `num_epochs=640` and `model.initialization='official'`.
  """
  config = ConfigDict()

  # Fixes initial parameters, order of the images, shifts and dropout; chooses
  # the images held out, those of `train_size`, and the test of 'folder' where
  # it has none of its own.
  config.seed = 0

  # 'mnist', 'fashion_mnist', 'digits', 'svhn', 'smallnorb', 'folder' (your own
  # pictures in data_dir), 'affnist', 'expanded_mnist', 'affine_mnist', or the
  # name of a TFDS data set.
  config.dataset = 'mnist'
  # Where the data are, or are downloaded to; a folder in the user's cache if
  # empty.
  config.data_dir = ''
  # So many training images are held out to choose the best checkpoint by.
  config.validation_size = 0
  # Uses only so many training images, for a quick trial; all of them if 0.
  config.train_size = 0
  config.images = ConfigDict(
    {
      # Pictures of dataset='folder' are resized to this side; 0 leaves them.
      'size': 0,
      # 1 makes them grey, 3 coloured; 0 leaves them.
      'channels': 0,
      # The side of a square cut out of every image, at random in training and
      # from the centre at test; 0 for the whole image.
      'crop_size': 0,
      # Whether each image is given mean 0 and standard deviation 1.
      'standardize': False,
    }
  )
  # Of training images, drawn anew each time; done in this order, the crop after
  # the shift.
  config.augmentation = ConfigDict(
    {
      # Rotation in degrees, to both sides.
      'max_rotation': 0.0,
      # The smallest and the largest scale, of width and height separately.
      'scale_range': (1.0, 1.0),
      # Rows move by up to so many times their distance from the centre.
      'max_shear': 0.0,
      # In pixels, interpolated, in each direction.
      'max_translation': 0.0,
      # In whole pixels, in each direction: the paper's for MNIST.
      'max_shift': 2,
      # Whether left and right are exchanged in every other image.
      'flip': False,
      # Added to or taken from pixels in [0, 1].
      'max_brightness': 0.0,
      # Factors of the distances from each channel's mean.
      'contrast_range': (1.0, 1.0),
    }
  )

  # 2 lays each image over one of another class (MultiMNIST); see `pairs`.
  config.num_objects = 1
  config.pairs = ConfigDict(
    {
      # Black pixels added on each side.
      'padding': 4,
      # Each image is moved by up to so many pixels; the official code: 6.
      'max_shift': 4,
      # Pairs that each test image begins, and what chooses them.
      'test_pairs': 1,
      'test_seed': 0,
    }
  )

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
      # Of more primary capsules the strides are doubled, to save memory and
      # time; 0 for no bound.
      'max_primary_capsules': 0,
      # (number, dimension) of capsule layers between primary and class ones.
      'hidden_capsules': (),
      # Routing: softmaxes over the parents, gradient through the last one
      # only, a "none of the above" share, learned initial logits.
      'num_iterations': 3,
      'stop_gradient': False,
      'leaky': False,
      'learn_log_priors': False,
      # The official code: see `begin_as_official`, True, 'official'. The scale
      # does not follow a num_types that is set on the command line: set both.
      # Where the loss stays as it was, 1 / num_types helps.
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
  # 640 is the official code's 300,000 steps; the paper gives no length.
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
      # Whether Adam adds its epsilon where TensorFlow does: the official code.
      'use_epsilon_hat': False,
    }
  )

  # Uses only so many devices; all of them if 0.
  config.num_devices = 0
  # Of float32 products on a GPU or TPU: 'default' (TF32 on a GPU, bfloat16 on a
  # TPU: their fast units), 'high', or 'highest' (float32); a CPU's are float32.
  config.matmul_precision = 'default'
  # Steps taken on the device without the host; 0 chooses by the platform.
  config.steps_per_call = 0
  # Whether the images stay in the host's memory, from where those of each call
  # are sent: for sets that the device's memory does not hold.
  config.stream_images = False

  config.pictures = ConfigDict(
    {
      # `reconstruct`: so many images predicted right, and so many wrong.
      'num_images': 20,
      # `perturb`: a dimension is changed by -range to range, in so many values.
      'perturbation_range': 0.25,
      'perturbation_steps': 11,
      # Whether TensorBoard is given pictures at each evaluation, and not only
      # at the end of the run: drawing takes longer than evaluating on a GPU.
      'every_evaluation': False,
    }
  )

  # May be a part of an epoch, such as 0.1.
  config.eval_every_epochs = 1.0
  # Ends the run when the accuracy of `select_best_by` is at least this; 0 for
  # never.
  config.stop_at_accuracy = 0.0
  # 'validation', or 'test' to choose the best checkpoint by the test set: a
  # choice that no reported test error should rest on.
  config.select_best_by = 'validation'
  # Whether evaluations measure the lengths of capsules, the couplings, and the
  # norm of each part's gradient too, on one batch of training images.
  config.diagnostics = True
  config.log_every_steps = 50
  config.checkpoint_every_seconds = 120.0
  # Of the checkpoints the newest two stay, and those after each so many epochs;
  # 0 for no others.
  config.keep_every_epochs = 0

  return config


def begin_as_official(model: ConfigDict) -> None:
  """Sets the official code's capsule bias, initial values and primary scale.

  With the primary scale of 1, Adam's first steps make every primary capsule as
  long as it can be. MNIST is learned all the same, and faster; with brighter
  images, two objects, or 5 and more routing iterations the margin loss stays
  where it was, for some hundred steps or for good.

  Args:
    model: is changed; its `num_types` and `leaky` are set before.
  """
  model.use_capsule_bias = True
  model.initialization = 'official'
  # The leak of the softmax over the types counts as one more.
  model.primary_scale = 1 / (model.num_types + model.leaky)
