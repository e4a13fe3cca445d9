"""Parts of a run that depend on several configuration fields at once."""

import dataclasses
import functools

import numpy as np

from capsjax.data import Dataset
from capsjax.errors import UserError
from capsjax.examples import (
  Examples,
  PairExamples,
  Preparation,
  SingleExamples,
)
from capsjax.runs.config import Config
from capsjax.training import (
  Objective,
  capsule_losses,
  cross_entropy_losses,
  sigmoid_losses,
  spread_losses,
)

# The objective and the name of the classification loss, by model and number of
# objects in an image.
_OBJECTIVES: dict[tuple[str, int], tuple[Objective, str]] = {
  ('capsnet', 1): (capsule_losses, 'margin_loss'),
  ('capsnet', 2): (capsule_losses, 'margin_loss'),
  ('efficient_capsnet', 1): (capsule_losses, 'margin_loss'),
  ('efficient_capsnet', 2): (capsule_losses, 'margin_loss'),
  ('matrix_capsules', 1): (spread_losses, 'spread_loss'),
  ('vb_capsules', 1): (cross_entropy_losses, 'cross_entropy'),
  ('baseline', 1): (cross_entropy_losses, 'cross_entropy'),
  ('baseline', 2): (sigmoid_losses, 'cross_entropy'),
}


def create_objective(config: Config, dataset: Dataset) -> Objective:
  """Returns the loss function of the configuration's model.

  Args:
    config: the configuration.
    dataset: the data, whose training images balance the classes.

  Raises:
    UserError: if the model cannot be trained on so many objects per image, or
      the number of class weights is not the number of classes.
  """
  function, _ = _objective_of(config)
  weights = dataclasses.asdict(config.loss)
  weights['class_weights'] = _class_weights(config, dataset)
  return functools.partial(function, **weights)


def _class_weights(config: Config, dataset: Dataset) -> tuple[float, ...]:
  weights, count = config.loss.class_weights, dataset.num_classes
  if isinstance(weights, str):
    sizes = np.bincount(dataset.train.labels, minlength=count)
    # A class without training images needs no weight.
    return tuple((sizes.sum() / (count * np.maximum(sizes, 1))).tolist())
  if weights and len(weights) != count:
    raise UserError(
      f'loss.class_weights has {len(weights)} numbers, but {dataset.name} has '
      f'{count} classes: {", ".join(dataset.class_names[:10])}'
      f'{" and others" if count > 10 else ""}; give one for each, or balanced'
    )
  return tuple(map(float, weights))


def classification_loss_name(config: Config) -> str:
  """Returns the name of the model's classification loss."""
  _, name = _objective_of(config)
  return name


def _objective_of(config: Config) -> tuple[Objective, str]:
  key = config.model_name, config.num_objects
  if key not in _OBJECTIVES:
    raise UserError(
      f'model_name={config.model_name} is trained on one object per image; set '
      'num_objects=1'
    )
  return _OBJECTIVES[key]


def require_sense(config: Config) -> None:
  """Checks that fields are consistent with each other, before data are read.

  Raises:
    UserError: if they are not.
  """
  has_decoder = getattr(config.model, 'has_decoder', False)
  if config.images.standardize and has_decoder:
    raise UserError(
      'standardised images leave [0, 1], where the decoder draws; set '
      'images.standardize=False or model.has_decoder=False'
    )
  if config.num_objects > 1 and config.images.standardize:
    raise UserError(
      'overlaid images cannot be standardised; set '
      'num_objects=1 or images.standardize=False'
    )
  if config.num_objects > 1 and config.stream_images:
    raise UserError(
      'pairs need the whole data set on the device; set stream_images=False'
    )


def require_fits(config: Config, dataset: Dataset) -> None:
  """Checks that the configuration can be trained on the data.

  Args:
    config: the configuration.
    dataset: the images and labels.

  Raises:
    UserError: if it cannot.
  """
  by_validation = config.select_best_by == 'validation'
  if config.stop_at_accuracy and by_validation and dataset.validation is None:
    raise UserError(
      'stop_at_accuracy needs a validation set; hold images out with '
      '--config.validation_size=5000, or set --config.select_best_by=test'
    )
  if config.num_objects > 1 and dataset.image_shape[-1] > 1:
    raise UserError(
      f'{dataset.name} has images of {dataset.image_shape[-1]} channels; only '
      'grey images can be overlaid; set num_objects=1'
    )


def create_examples(config: Config, num_classes: int) -> Examples:
  """Creates the `Examples` that the configuration describes.

  Args:
    config: the configuration.
    num_classes: the number of classes.
  """
  preparation = Preparation(
    crop_size=config.images.crop_size,
    standardize=config.images.standardize,
    **dataclasses.asdict(config.augmentation),
  )
  singles = SingleExamples(num_classes, preparation)
  if config.num_objects == 1:
    return singles
  return PairExamples(singles, **dataclasses.asdict(config.pairs))
