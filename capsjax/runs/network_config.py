"""Configuration of the networks beyond the paper's, and of their losses."""

import dataclasses

from capsjax.runs.fields import (
  POSITIVE,
  SHARE,
  SIZE,
  WEIGHTS,
  at_least,
  field,
  one_of,
  section,
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
