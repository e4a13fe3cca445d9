"""The configuration of a run: every field's default, meaning and values.

`capsjax config`, the checks of values, `configs/base.py` and the reading of
older runs all derive from these declarations.
"""

import dataclasses

from capsjax.runs.fields import (
  NAMES,
  NUMBERS,
  POSITIVE,
  RANGE,
  SHARE,
  SIDES,
  SIZE,
  WEIGHTS,
  at_least,
  between,
  field,
  one_of,
  section,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImagesConfig:
  """Fields of `config.images`."""

  size: int | tuple[int, int] = field(
    0,
    'Height and width in pixels to which pictures of dataset="folder" are '
    'resized, such as (20, 30), or one number for squares; 0 keeps their size.',
    SIDES,
    kinds=(int, tuple),
  )
  channels: int = field(
    0,
    'Channels of the pictures of dataset="folder": 1 (grey) or 3 (colour); 0 '
    'keeps theirs.',
    one_of(0, 1, 3),
  )
  background: int = field(
    0,
    'Grey level behind transparent pictures of dataset="folder": 0 is black, '
    '255 white.',
    between(0, 255),
    before=0,
  )
  crop_size: int = field(
    0,
    'Side in pixels of a square crop, random in training and central at test; '
    '0 keeps the whole image.',
    at_least(0),
  )
  standardize: bool = field(
    False, 'Whether to give each image mean 0 and standard deviation 1.'
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
  """Fields of `config.augmentation`.

  Training images are augmented anew in every epoch, in the order of the fields;
  `images.crop_size` applies after the shift.
  """

  max_rotation: float = field(
    0.0, 'Largest rotation in degrees, in either direction.', at_least(0)
  )
  scale_range: tuple[int | float, int | float] = field(
    (1.0, 1.0),
    'Smallest and largest scale factor, drawn separately for width and height.',
    RANGE,
  )
  max_shear: float = field(
    0.0,
    'Largest shear: a row moves by up to this times its distance from the '
    'centre.',
    at_least(0),
  )
  max_translation: float = field(
    0.0,
    'Largest translation in pixels along each axis, interpolated.',
    at_least(0),
  )
  max_shift: int = field(
    2,
    'Largest shift in whole pixels along each axis; 2 in the paper for MNIST.',
    at_least(0),
  )
  flip: bool = field(
    False, 'Whether to mirror images left to right with probability 1/2.'
  )
  max_brightness: float = field(
    0.0,
    'Largest number added to or subtracted from all pixels, which are in '
    '[0, 1].',
    SHARE,
  )
  contrast_range: tuple[int | float, int | float] = field(
    (1.0, 1.0), 'Smallest and largest contrast factor.', RANGE
  )
  erase_size: int = field(
    0,
    'Side in pixels of a square that is made black at a random place; 0 for '
    'none.',
    at_least(0),
    before=0,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairsConfig:
  """Fields of `config.pairs`, which apply if `num_objects=2` (MultiMNIST)."""

  padding: int = field(
    4, 'Black pixels added on each side of an image.', at_least(0)
  )
  max_shift: int = field(
    4,
    'Largest shift of each image in pixels along each axis; 6 in the official '
    'code.',
    at_least(0),
  )
  test_pairs: int = field(
    1,
    'Number of test pairs made from each test image; 1000 in the paper.',
    # Metrics count exactly only up to 2**24 examples.
    between(1, 1000),
  )
  test_seed: int = field(0, 'Seed that selects the test pairs.', at_least(0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoutingConfig:
  """Fields of `config.model.routing`, shared by all routed layers."""

  name: str = field('dynamic', 'Routing algorithm.', one_of('dynamic'))
  num_iterations: int = field(
    3,
    'Number of routing iterations, one softmax each.',
    at_least(1),
    also=('routings', 'num_routing', 'iter_routing', 'iterations'),
  )
  stop_gradient: bool = field(
    False,
    'Whether to treat the couplings as constants, so that gradients flow '
    'through the last iteration only.',
  )
  leaky: bool = field(
    False,
    'Whether to add a "none of the above" share to each softmax (section 7).',
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CapsNetConfig:
  """Fields of `config.model` if `model_name='capsnet'`."""

  capsule_dim: int = field(16, 'Dimension of a class capsule.', at_least(1))
  conv_features: int = field(
    256, 'Number of channels of the first convolution.', at_least(1)
  )
  conv_kernel_size: tuple[int, int] = field(
    (9, 9), 'Kernel size of the first convolution.', SIZE
  )
  num_types: int = field(
    32,
    'Number of primary capsules at each position.',
    at_least(1),
    also=('primary_caps', 'num_primary'),
  )
  primary_dim: int = field(8, 'Dimension of a primary capsule.', at_least(1))
  primary_kernel_size: tuple[int, int] = field(
    (9, 9), 'Kernel size of the primary-capsule convolution.', SIZE
  )
  primary_strides: tuple[int, int] = field(
    (2, 2), 'Strides of the primary-capsule convolution.', SIZE
  )
  padding: str = field(
    'VALID', 'Padding of both convolutions.', one_of('VALID', 'SAME')
  )
  max_primary_capsules: int = field(
    0,
    'Limit on the number of primary capsules, to save memory and time: strides '
    'are doubled until it holds; 0 for no limit.',
    at_least(0),
  )
  hidden_capsules: tuple[tuple[int, int], ...] = field(
    (),
    '(number, dimension) of each capsule layer between the primary and the '
    'class capsules; () for none.',
  )
  routing: RoutingConfig = section(
    RoutingConfig, 'How capsules are routed to the layer above.'
  )
  learn_log_priors: bool = field(
    False, 'Whether to learn the initial routing logits; otherwise they are 0.'
  )
  primary_scale: float = field(
    1.0,
    'Factor that multiplies the primary-capsule convolution before its bias; '
    '1 / num_types in the official code. If the loss stalls from the start, '
    'try 1 / num_types.',
  )
  matrix_scale: float = field(
    1.0,
    'Factor that multiplies the initial transformation matrices. A third gave '
    'a lower error on MNIST, with longer primary capsules.',
  )
  use_capsule_bias: bool = field(
    False, 'Whether routed capsules have a bias, as in the official code.'
  )
  initialization: str = field(
    'fan_in',
    "Initial values: 'fan_in' (variance scaled by the number of inputs) or "
    "'official' (those of the official code).",
    one_of('fan_in', 'official'),
  )
  has_decoder: bool = field(
    True,
    'Whether the network has a decoder, which reconstructs the images.',
    also=('decoder', 'reconstruct'),
  )
  decoder_sizes: tuple[int, ...] = field(
    (512, 1024), 'Sizes of the hidden layers of the decoder.'
  )
  dtype: str = field(
    'float32',
    "Type to compute in: 'float32' or 'bfloat16'; parameters stay float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineConfig:
  """Fields of `config.model` if `model_name='baseline'`."""

  conv_features: tuple[int, ...] = field(
    (256, 256, 128), 'Number of channels of each convolution.'
  )
  conv_kernel_sizes: tuple[int, ...] = field(
    (5, 5, 5), 'Side of the square kernel of each convolution.'
  )
  pool_size: int = field(
    1,
    'Window and stride of max pooling after each convolution; 1 for none.',
    at_least(1),
  )
  dense_sizes: tuple[int, ...] = field(
    (328, 192), 'Sizes of the hidden fully connected layers.'
  )
  dropout_rate: float = field(
    0.5, 'Dropout rate of the last hidden layer.', SHARE
  )
  dtype: str = field(
    'float32',
    "Type to compute in: 'float32' or 'bfloat16'; parameters stay float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EfficientCapsNetConfig:
  """Fields of `config.model` if `model_name='efficient_capsnet'`."""

  capsule_dim: int = field(16, 'Dimension of a class capsule.', at_least(1))
  conv_features: tuple[int, ...] = field(
    (32, 64, 64, 128), 'Number of channels of each convolution.'
  )
  conv_kernel_sizes: tuple[int, ...] = field(
    (5, 3, 3, 3), 'Side of the square kernel of each convolution.'
  )
  conv_strides: tuple[int, ...] = field(
    (1, 1, 1, 2), 'Stride of each convolution.'
  )
  num_primary: int = field(16, 'Number of primary capsules.', at_least(1))
  primary_dim: int = field(
    8,
    'Dimension of a primary capsule; num_primary times this is the number of '
    'channels of the last convolution.',
    at_least(1),
  )
  has_decoder: bool = field(
    True, 'Whether the network has a decoder, which reconstructs the images.'
  )
  decoder_sizes: tuple[int, ...] = field(
    (512, 1024), 'Sizes of the hidden layers of the decoder.'
  )
  dtype: str = field(
    'float32',
    "Type to compute in: 'float32' or 'bfloat16'; parameters stay float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EMRoutingConfig:
  """Fields of `config.model.routing` if `model_name='matrix_capsules'`."""

  name: str = field('em', 'Routing algorithm.', one_of('em'))
  num_iterations: int = field(3, 'Number of routing iterations.', at_least(1))
  inverse_temperature: float = field(
    0.01, 'Slope of the activations after many iterations.', POSITIVE
  )
  variance_floor: float = field(
    5e-4, 'Number added to each variance.', POSITIVE
  )
  mean_damping: float = field(
    0.0, "Weight of the previous iteration's mean.", SHARE
  )
  beta_u_scale: float = field(
    1.0, 'Factor of the learned cost of describing a pose.'
  )
  beta_a_scale: float = field(
    1.0, 'Factor of the learned cost of activating a capsule.'
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariationalRoutingConfig:
  """Fields of `config.model.routing` if `model_name='vb_capsules'`."""

  name: str = field('variational', 'Routing algorithm.', one_of('variational'))
  num_iterations: int = field(3, 'Number of routing iterations.', at_least(1))
  concentration: float = field(1.0, 'Of the Dirichlet prior.', POSITIVE)
  mean_precision: float = field(1.0, "Of the means' prior.", POSITIVE)
  full_covariance: bool = field(False, 'Whether covariances are full.')


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatrixCapsNetConfig:
  """Fields of `config.model` if `model_name='matrix_capsules'`."""

  conv_features: int = field(
    32, 'Number of channels of the convolution.', at_least(1)
  )
  conv_kernel_size: tuple[int, int] = field(
    (5, 5), 'Kernel size of the convolution.', SIZE
  )
  conv_strides: tuple[int, int] = field(
    (2, 2), 'Strides of the convolution.', SIZE
  )
  num_types: int = field(
    32, 'Number of primary capsules at each position.', at_least(1)
  )
  capsule_types: tuple[int, ...] = field(
    (32, 32), 'Number of types of each convolutional capsule layer.'
  )
  capsule_kernel_sizes: tuple[int, ...] = field(
    (3, 3), 'Side of the receptive fields of each convolutional capsule layer.'
  )
  capsule_strides: tuple[int, ...] = field(
    (2, 1), 'Stride of each convolutional capsule layer.'
  )
  pose_side: int = field(4, 'Side of a pose matrix.', at_least(2))
  routing: EMRoutingConfig = section(
    EMRoutingConfig, 'How capsules are routed to the layer above.'
  )
  competes_everywhere: bool = field(
    True,
    'Whether all parents that see a child compete for it, or only those at the '
    'same position.',
  )
  coordinate_scale: float = field(
    1.0,
    'Factor of the position, from 0 to 1, that is added to the votes for class '
    'capsules.',
  )
  dtype: str = field(
    'float32',
    "Type to compute in: 'float32' or 'bfloat16'; parameters stay float32.",
    one_of('float32', 'bfloat16'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariationalCapsNetConfig(MatrixCapsNetConfig):
  """Fields of `config.model` if `model_name='vb_capsules'`."""

  routing: VariationalRoutingConfig = section(  # type: ignore[assignment]
    VariationalRoutingConfig, 'How capsules are routed to the layer above.'
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationLossConfig:
  """Fields of `config.loss` of all networks, and all fields of some."""

  class_weights: str | tuple[int | float, ...] = field(
    (),
    "Weight of each class's images in the classification loss, in the order of "
    "the class names; 'balanced' weights by the number of training images: all "
    '/ (classes * those of the class); () gives every image weight 1.',
    WEIGHTS,
    kinds=(str, tuple),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpreadLossConfig(ClassificationLossConfig):
  """Fields of `config.loss` if `model_name='matrix_capsules'`."""

  margin_schedule: str = field(
    'linear',
    "How the margin grows: 'linear' as in the paper, or 'sigmoid' as in the "
    'official code.',
    one_of('linear', 'sigmoid'),
  )
  initial_margin: float = field(0.2, 'Margin at the start.', SHARE)
  final_margin: float = field(0.9, 'Margin at the end.', SHARE)
  margin_steps: int = field(
    10_000, 'Steps in which the margin grows.', at_least(1)
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossConfig(ClassificationLossConfig):
  """Fields of `config.loss` if `model_name='capsnet'`.

  These are the margin loss (Eq. 4) and the reconstruction loss.
  """

  positive_margin: float = field(
    0.9,
    'Length that the capsule of a present class should exceed: m+ in Eq. 4.',
    SHARE,
    also=('m_plus',),
  )
  negative_margin: float = field(
    0.1,
    'Length that the capsule of an absent class should not exceed: m- in '
    'Eq. 4.',
    SHARE,
    also=('m_minus',),
  )
  down_weight: float = field(
    0.5,
    'Weight of absent classes: lambda in Eq. 4.',
    at_least(0),
    also=('lambda', 'lam', 'lambda_val'),
  )
  margin_weight: float = field(
    1.0, 'Weight of the margin loss; 0.05 in the official code.', at_least(0)
  )
  reconstruction_weight: float = field(
    0.0005,
    'Weight of the reconstruction loss, the squared differences summed over '
    'the pixels.',
    at_least(0),
    also=('lam_recon', 'alpha', 'regularization_scale'),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
  """Fields of `config.optimizer`: Adam and its learning rate."""

  learning_rate: float = field(
    1e-3,
    'Learning rate after the warm-up, before any decay.',
    POSITIVE,
    also=('lr', 'rate', 'step_size'),
  )
  schedule: str = field(
    'exponential',
    "How the learning rate decays: 'exponential' as decay_rate ** (step / "
    "decay_steps); 'per_epoch' by decay_rate after each epoch; 'milestones' by "
    "decay_rate at each milestone; 'constant' never.",
    one_of('exponential', 'per_epoch', 'milestones', 'constant'),
  )
  decay_rate: float = field(
    0.96, 'Factor by which the schedule multiplies the rate.', POSITIVE
  )
  decay_steps: int = field(
    2000, "Steps per factor of decay_rate, for 'exponential'.", at_least(1)
  )
  milestones: tuple[int | float, ...] = field(
    (),
    "Epochs at which the rate drops, for 'milestones'; may be fractional.",
    NUMBERS,
  )
  min_learning_rate: float = field(
    1e-6, 'Lower bound of the decaying learning rate.', at_least(0)
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
    'Whether Adam adds epsilon before the bias correction, as in TensorFlow '
    'and the official code.',
    before=False,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PicturesConfig:
  """Fields of `config.pictures`: what the commands draw."""

  num_images: int = field(
    20,
    'reconstruct: number of correctly classified images to draw, and of '
    'misclassified ones.',
    between(1, 500),
    may_change=True,
  )
  perturbation_range: float = field(
    0.25,
    'perturb: each dimension is changed by -range to +range.',
    POSITIVE,
    may_change=True,
  )
  perturbation_steps: int = field(
    11,
    'perturb: number of values of each dimension.',
    between(2, 101),
    may_change=True,
  )
  every_evaluation: bool = field(
    False,
    'Whether TensorBoard shows pictures of every evaluation, not only of the '
    'last. On a GPU, drawing takes longer than evaluating.',
    may_change=True,
    before=True,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
  """The configuration of a run; the defaults are the paper's for MNIST.

  Where the paper gives no value, the default is the official code's, except for
  the training length (official: `num_epochs=640`), the warm-up of the learning
  rate (official: `optimizer.warmup_steps=0`) and the initial values
  (official: `model.initialization='official'`).
  """

  seed: int = field(
    0,
    'Seed of the initial parameters and of all randomness in training: the '
    'order of the images, augmentation, dropout, and the choice of images by '
    'train_size, validation_size and the test split of dataset="folder".',
    between(0, 2**32 - 1),
  )
  dataset: str = field(
    'mnist',
    "Data set: 'mnist', 'fashion_mnist', 'digits', 'svhn', 'smallnorb', "
    "'affnist', 'expanded_mnist', 'affine_mnist', 'folder' (your own pictures "
    'in data_dir), or a name from TensorFlow Datasets.',
  )
  data_dir: str = field(
    '',
    "Folder that holds the data or receives the download; the user's cache if "
    'empty.',
    may_change=True,
    also=('data', 'data_path', 'data_folder'),
  )
  validation_size: int = field(
    0,
    'Number of training images to hold out for choosing the best checkpoint.',
    at_least(0),
  )
  train_size: int = field(
    0, 'Number of training images to use; 0 for all.', at_least(0)
  )
  images: ImagesConfig = section(ImagesConfig, 'Size and scale of the images.')
  augmentation: AugmentationConfig = section(
    AugmentationConfig, 'Random changes of the training images.'
  )
  num_objects: int = field(
    1,
    'Number of objects per image; 2 overlays two images of different classes.',
    between(1, 2),
  )
  pairs: PairsConfig = section(PairsConfig, 'How two images are overlaid.')
  model_name: str = field(
    'capsnet',
    'The network.',
    one_of(
      *('capsnet', 'baseline', 'efficient_capsnet'),
      *('matrix_capsules', 'vb_capsules'),
    ),
  )
  model: (
    CapsNetConfig
    | BaselineConfig
    | EfficientCapsNetConfig
    | MatrixCapsNetConfig
  ) = section(CapsNetConfig, 'Fields of the network.')
  init_from: str = field(
    '',
    'Folder of another run, whose newest checkpoint gives the initial values '
    'of all parameters that have the same name and shape here; the others, and '
    "all of them if '', get random ones.",
    before='',
  )
  freeze: tuple[str, ...] = field(
    (),
    'Parts of the network that are not trained, so that they keep their '
    'initial values; () trains all.',
    NAMES,
    before=(),
  )
  loss: LossConfig | SpreadLossConfig | ClassificationLossConfig = section(
    LossConfig, 'Weights of the losses.'
  )
  batch_size: int = field(
    128,
    'Images per training step.',
    at_least(1),
    also=('batch', 'bs'),
  )
  num_epochs: int = field(
    50,
    'Epochs of training; 640 make the 300,000 steps of the official code.',
    at_least(1),
    may_change=True,
    also=('epochs', 'epoch', 'max_epochs'),
  )
  optimizer: OptimizerConfig = section(
    OptimizerConfig, 'Adam and its learning rate.'
  )
  num_devices: int = field(
    0,
    'Number of devices to use; 0 for all.',
    at_least(0),
    may_change=True,
    also=('num_gpus', 'gpus', 'num_tpus', 'devices'),
  )
  matmul_precision: str = field(
    'default',
    "Precision of float32 matrix products on a GPU or TPU: 'default' (TF32 or "
    "bfloat16, the fast units), 'high', or 'highest' (float32).",
    one_of('default', 'high', 'highest'),
  )
  steps_per_call: int = field(
    0,
    'Training steps between returns to Python; 0 chooses the number.',
    at_least(0),
    may_change=True,
  )
  stream_images: bool = field(
    False,
    'Whether to keep the images in host memory, for data sets that do not fit '
    'on the device.',
    may_change=True,
    before=False,
  )
  pictures: PicturesConfig = section(PicturesConfig, 'What the commands draw.')
  eval_every_epochs: float = field(
    1.0,
    'Epochs between evaluations; may be fractional, such as 0.1.',
    POSITIVE,
    may_change=True,
  )
  stop_at_accuracy: float = field(
    0.0,
    'Stop early at this accuracy on the set that select_best_by names; 0 never '
    'stops early.',
    SHARE,
    may_change=True,
  )
  select_best_by: str = field(
    'validation',
    "Set that chooses the best checkpoint: 'validation', or 'test', whose "
    'error is then no longer an honest estimate.',
    one_of('validation', 'test'),
  )
  diagnostics: bool = field(
    True,
    'Whether each evaluation also measures capsule lengths, couplings and '
    'gradient norms, on one training batch.',
    may_change=True,
    before=False,
  )
  log_every_steps: int = field(
    50, 'Steps between logged training metrics.', at_least(1), may_change=True
  )
  tracking: str = field(
    '',
    "Service that gets the metrics and pictures too: 'wandb' (Weights & "
    "Biases; needs `pip install 'capsjax[wandb]'` and `wandb login`, or "
    "WANDB_MODE=offline); '' for none.",
    one_of('', 'wandb'),
    may_change=True,
    before='',
  )
  checkpoint_every_seconds: float = field(
    120.0, 'Seconds between checkpoints.', at_least(0), may_change=True
  )
  keep_every_epochs: int = field(
    0,
    'Epochs between checkpoints that are kept for good, besides the newest '
    'two; 0 keeps only those two.',
    at_least(0),
    may_change=True,
    before=0,
  )
