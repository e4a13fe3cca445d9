"""The configuration of a run: every field's default, meaning and values.

Help, checks, `configs/base.py` and the reading of older runs are made from
these declarations.
"""

import dataclasses

from capsjax.runs.fields import (
  NUMBERS,
  POSITIVE,
  RANGE,
  SHARE,
  SIZE,
  at_least,
  between,
  field,
  one_of,
  section,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImagesConfig:
  """Fields of `config.images`."""

  size: int = field(
    0,
    'Side to which pictures of dataset="folder" are resized; 0 keeps theirs.',
    at_least(0),
  )
  channels: int = field(
    0,
    'Channels of pictures of dataset="folder": 1 (grey), 3 (colour), or 0 to '
    'keep theirs.',
    one_of(0, 1, 3),
  )
  crop_size: int = field(
    0,
    'Side of a square crop, random in training and central at test; 0 for the '
    'whole image.',
    at_least(0),
  )
  standardize: bool = field(
    False, 'Whether each image is given mean 0 and standard deviation 1.'
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
  """Fields of `config.augmentation`.

  Training images are augmented anew each time, in the order of the fields; the
  crop follows the shift.
  """

  max_rotation: float = field(
    0.0, 'Largest rotation in degrees, in both directions.', at_least(0)
  )
  scale_range: tuple[int | float, int | float] = field(
    (1.0, 1.0),
    'Smallest and largest scale, drawn for width and height separately.',
    RANGE,
  )
  max_shear: float = field(
    0.0,
    'Largest shear: a row moves by this times its distance from the centre.',
    at_least(0),
  )
  max_translation: float = field(
    0.0, 'Largest translation in pixels, interpolated.', at_least(0)
  )
  max_shift: int = field(
    2,
    'Largest shift in whole pixels; 2 in the paper for MNIST.',
    at_least(0),
  )
  flip: bool = field(False, 'Whether half of the images are mirrored.')
  max_brightness: float = field(
    0.0, 'Largest change of brightness, of pixels in [0, 1].', SHARE
  )
  contrast_range: tuple[int | float, int | float] = field(
    (1.0, 1.0), 'Smallest and largest factor of the contrast.', RANGE
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairsConfig:
  """Fields of `config.pairs`, used with `num_objects=2` (MultiMNIST)."""

  padding: int = field(
    4, 'Black pixels added to each side of an image.', at_least(0)
  )
  max_shift: int = field(
    4,
    'Largest shift of each image in pixels; 6 in the official code.',
    at_least(0),
  )
  test_pairs: int = field(
    1,
    'Test pairs made from each test image; 1000 in the paper.',
    # Metrics count exactly up to 2**24 examples.
    between(1, 1000),
  )
  test_seed: int = field(0, 'Seed that chooses the test pairs.', at_least(0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoutingConfig:
  """Fields of `config.model.routing`, the same for every routed layer."""

  name: str = field('dynamic', 'Routing algorithm.')
  num_iterations: int = field(3, 'Number of softmaxes.', at_least(1))
  stop_gradient: bool = field(
    False, 'Whether gradients flow through the last iteration only.'
  )
  leaky: bool = field(
    False, 'Whether the softmax has a "none of the above" share (section 7).'
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CapsNetConfig:
  """Fields of `config.model` with `model_name='capsnet'`."""

  capsule_dim: int = field(16, 'Dimension of a class capsule.', at_least(1))
  conv_features: int = field(
    256, 'Channels of the first convolution.', at_least(1)
  )
  conv_kernel_size: tuple[int, int] = field(
    (9, 9), 'Kernel size of the first convolution.', SIZE
  )
  num_types: int = field(32, 'Types of primary capsules.', at_least(1))
  primary_dim: int = field(8, 'Dimension of a primary capsule.', at_least(1))
  primary_kernel_size: tuple[int, int] = field(
    (9, 9), 'Kernel size of the convolution of the primary capsules.', SIZE
  )
  primary_strides: tuple[int, int] = field(
    (2, 2), 'Strides of the convolution of the primary capsules.', SIZE
  )
  padding: str = field(
    'VALID', 'Padding of both convolutions.', one_of('VALID', 'SAME')
  )
  max_primary_capsules: int = field(
    0,
    'Strides are doubled until there are at most this many primary capsules, '
    'to save memory and time; 0 for no limit.',
    at_least(0),
  )
  hidden_capsules: tuple[tuple[int, int], ...] = field(
    (),
    '(number, dimension) of each capsule layer between the primary and the '
    'class capsules.',
  )
  routing: RoutingConfig = section(
    RoutingConfig, 'How capsules are routed to the layer above.'
  )
  learn_log_priors: bool = field(
    False, 'Whether the initial routing logits are learned; else they are 0.'
  )
  primary_scale: float = field(
    1.0,
    'Factor of the convolution of the primary capsules; 1 / num_types in the '
    'official code. If the loss stalls from the start, try 1 / num_types.',
  )
  use_capsule_bias: bool = field(
    False, 'Whether routed capsules have a bias; they do in the official code.'
  )
  initialization: str = field(
    'fan_in',
    "Initial values: 'fan_in' (variance by the number of inputs) or 'official' "
    "(the official code's).",
    one_of('fan_in', 'official'),
  )
  has_decoder: bool = field(True, 'Whether images are reconstructed.')
  decoder_sizes: tuple[int, ...] = field(
    (512, 1024), 'Sizes of the hidden layers of the decoder.'
  )
  dtype: str = field(
    'float32',
    "Type of the computation: 'float32' or 'bfloat16'; parameters are float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineConfig:
  """Fields of `config.model` with `model_name='baseline'`."""

  conv_features: tuple[int, ...] = field(
    (256, 256, 128), 'Channels of each convolution.'
  )
  conv_kernel_sizes: tuple[int, ...] = field(
    (5, 5, 5), "Side of each convolution's kernel."
  )
  pool_size: int = field(
    1,
    'Window and stride of the max pooling after each convolution; 1 for none.',
    at_least(1),
  )
  dense_sizes: tuple[int, ...] = field(
    (328, 192), 'Sizes of the hidden fully connected layers.'
  )
  dropout_rate: float = field(
    0.5, 'Share of the last hidden layer that is dropped in training.', SHARE
  )
  dtype: str = field(
    'float32',
    "Type of the computation: 'float32' or 'bfloat16'; parameters are float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossConfig:
  """Fields of `config.loss`: margin loss (Eq. 4) and reconstruction loss.

  A baseline has none: `config.loss = ConfigDict()`.
  """

  positive_margin: float = field(
    0.9, 'Length that the capsule of a present class should exceed.', SHARE
  )
  negative_margin: float = field(
    0.1, 'Length that the capsule of an absent class should not exceed.', SHARE
  )
  down_weight: float = field(0.5, 'Weight of absent classes.', at_least(0))
  margin_weight: float = field(
    1.0, 'Weight of the margin loss; 0.05 in the official code.', at_least(0)
  )
  reconstruction_weight: float = field(
    0.0005,
    'Weight of the squared differences, summed over the pixels.',
    at_least(0),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
  """Fields of `config.optimizer`: Adam and its learning rate."""

  learning_rate: float = field(1e-3, 'Learning rate at step 0.', POSITIVE)
  schedule: str = field(
    'exponential',
    "'exponential': decay_rate ** (step / decay_steps); 'per_epoch': times "
    "decay_rate after each epoch; 'milestones': times decay_rate at each "
    "milestone; or 'constant'.",
    one_of('exponential', 'per_epoch', 'milestones', 'constant'),
  )
  decay_rate: float = field(0.96, 'Factor of the learning rate.', POSITIVE)
  decay_steps: int = field(
    2000, "Steps of one factor, for 'exponential'.", at_least(1)
  )
  milestones: tuple[int | float, ...] = field(
    (), "Epochs at which the rate falls, for 'milestones'.", NUMBERS
  )
  min_learning_rate: float = field(
    1e-6, 'The learning rate never falls below this.', at_least(0)
  )
  warmup_steps: int = field(
    100,
    'Steps over which the learning rate rises linearly from 0. Without a '
    'warm-up the first steps can saturate the primary capsules.',
    at_least(0),
    before=0,
  )
  use_epsilon_hat: bool = field(
    False,
    'Whether Adam adds epsilon where TensorFlow does, as in the official code.',
    before=False,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PicturesConfig:
  """Fields of `config.pictures`: what the commands draw."""

  num_images: int = field(
    20,
    'reconstruct: images predicted right, and as many predicted wrong.',
    between(1, 500),
    may_change=True,
  )
  perturbation_range: float = field(
    0.25,
    'perturb: a dimension is changed by -range to range.',
    POSITIVE,
    may_change=True,
  )
  perturbation_steps: int = field(
    11, 'perturb: number of values.', between(2, 101), may_change=True
  )
  every_evaluation: bool = field(
    False,
    'Whether TensorBoard shows pictures of each evaluation, not only of the '
    'last; drawing takes longer than evaluating on a GPU.',
    may_change=True,
    before=True,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
  """The configuration of a run; the defaults are the paper's for MNIST.

  Where the paper gives no value it is the official code's, but for the length
  (its code: `num_epochs=640`) and the initial values
  (`model.initialization='official'`).
  """

  seed: int = field(
    0,
    'Fixes the initial parameters and all randomness of training: the order of '
    'the images, augmentation, dropout, and which images train_size, '
    'validation_size and the test of dataset="folder" choose.',
    at_least(0),
  )
  dataset: str = field(
    'mnist',
    "'mnist', 'fashion_mnist', 'digits', 'svhn', 'smallnorb', 'affnist', "
    "'expanded_mnist', 'affine_mnist', 'folder' (your own pictures in "
    'data_dir), or the name of a TensorFlow data set.',
  )
  data_dir: str = field(
    '',
    'Where the data are, or are downloaded to; the cache of the user if empty.',
    may_change=True,
  )
  validation_size: int = field(
    0,
    'Training images held out, by which the best checkpoint is chosen.',
    at_least(0),
  )
  train_size: int = field(
    0, 'Number of training images to use; 0 for all.', at_least(0)
  )
  images: ImagesConfig = section(ImagesConfig, 'Size and form of the images.')
  augmentation: AugmentationConfig = section(
    AugmentationConfig, 'Random changes of the training images.'
  )
  num_objects: int = field(
    1,
    'Objects in each image; 2 overlays two images of different classes.',
    between(1, 2),
  )
  pairs: PairsConfig = section(PairsConfig, 'How two images are overlaid.')
  model_name: str = field(
    'capsnet', 'The network.', one_of('capsnet', 'baseline')
  )
  model: CapsNetConfig | BaselineConfig = section(
    CapsNetConfig, 'Fields of the network.'
  )
  loss: LossConfig | None = section(LossConfig, 'Weights of the losses.')
  batch_size: int = field(128, 'Images of a training step.', at_least(1))
  num_epochs: int = field(
    50,
    'Length of training; 640 is the 300,000 steps of the official code.',
    at_least(1),
    may_change=True,
  )
  optimizer: OptimizerConfig = section(
    OptimizerConfig, 'Adam and its learning rate.'
  )
  num_devices: int = field(
    0, 'Number of devices to use; 0 for all.', at_least(0), may_change=True
  )
  matmul_precision: str = field(
    'default',
    "Precision of float32 products on a GPU or TPU: 'default' (TF32 or "
    "bfloat16, the fast units), 'high', or 'highest' (float32).",
    one_of('default', 'high', 'highest'),
  )
  steps_per_call: int = field(
    0,
    'Steps that a device takes before it returns to Python; 0 chooses.',
    at_least(0),
    may_change=True,
  )
  stream_images: bool = field(
    False,
    'Whether the images stay in host memory, for sets that do not fit on the '
    'device.',
    may_change=True,
    before=False,
  )
  pictures: PicturesConfig = section(PicturesConfig, 'What the commands draw.')
  eval_every_epochs: float = field(
    1.0,
    'Epochs between evaluations; may be a fraction, such as 0.1.',
    POSITIVE,
    may_change=True,
  )
  stop_at_accuracy: float = field(
    0.0,
    'Ends the run at this accuracy of the set that select_best_by names; 0 for '
    'never.',
    SHARE,
    may_change=True,
  )
  select_best_by: str = field(
    'validation',
    "'validation', or 'test' to choose the best checkpoint by the test set, "
    'whose error is then no longer an honest estimate.',
    one_of('validation', 'test'),
  )
  diagnostics: bool = field(
    True,
    'Whether each evaluation also measures the lengths of the capsules, the '
    'couplings and the gradient norms, on one training batch.',
    may_change=True,
    before=False,
  )
  log_every_steps: int = field(
    50, 'Steps between lines of metrics.', at_least(1), may_change=True
  )
  checkpoint_every_seconds: float = field(
    120.0, 'Seconds between checkpoints.', at_least(0), may_change=True
  )
  keep_every_epochs: int = field(
    0,
    'The newest two checkpoints are kept, and those after every so many '
    'epochs; 0 for no others.',
    at_least(0),
    may_change=True,
    before=0,
  )
