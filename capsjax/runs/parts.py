"""Parts of a run that several fields of its configuration decide together."""

import functools
import inspect

from ml_collections import ConfigDict

from capsjax.data import Dataset
from capsjax.errors import UserError
from capsjax.examples import (
  Examples,
  PairExamples,
  Preparation,
  SingleExamples,
)
from capsjax.training import (
  Objective,
  capsule_losses,
  cross_entropy_losses,
  sigmoid_losses,
)

# What each model is trained for, by the number of objects in an image, and the
# name of its classification loss.
_OBJECTIVES = {
  ('capsnet', 1): (capsule_losses, 'margin_loss'),
  ('capsnet', 2): (capsule_losses, 'margin_loss'),
  ('baseline', 1): (cross_entropy_losses, 'cross_entropy'),
  ('baseline', 2): (sigmoid_losses, 'cross_entropy'),
}


def create_objective(config: ConfigDict) -> Objective:
  """What the configuration's model is trained for."""
  function, _ = _OBJECTIVES[config.model_name, config.num_objects]
  return functools.partial(function, **config.loss)


def classification_loss_name(config: ConfigDict) -> str:
  """What the classification loss of the configuration's model is called."""
  _, name = _OBJECTIVES[config.model_name, config.num_objects]
  return name


def require_sense(config: ConfigDict, dataset: Dataset) -> None:
  """Refuses fields that do not go together, or not with the data.

  Args:
    config: the configuration.
    dataset: the images.

  Raises:
    UserError: if they do not.
  """
  by_validation = config.select_best_by == 'validation'
  if config.stop_at_accuracy and by_validation and dataset.validation is None:
    raise UserError(
      'stop_at_accuracy has nothing to go by; hold images out with '
      '--config.validation_size=5000, or --config.select_best_by=test'
    )
  objective, _ = _OBJECTIVES[config.model_name, config.num_objects]
  unused = set(config.loss) - set(inspect.signature(objective).parameters)
  if unused:
    raise UserError(
      f'model_name={config.model_name} has no use for loss.{min(unused)}; '
      'leave out of the configuration what it does not use: config.loss = '
      'ConfigDict()'
    )
  has_decoder = config.model.get('has_decoder', False)
  if config.images.standardize and has_decoder:
    raise UserError(
      'standardised images are not in [0, 1], where the decoder draws; set '
      'images.standardize=False or model.has_decoder=False'
    )
  if config.num_objects > 1 and config.images.standardize:
    raise UserError(
      'images that are laid over each other cannot be standardised; set '
      'num_objects=1 or images.standardize=False'
    )
  if config.num_objects > 1 and config.stream_images:
    raise UserError(
      'pairs are drawn from a whole set, on the device; set stream_images=False'
    )
  if config.num_objects > 1 and dataset.image_shape[-1] > 1:
    raise UserError(
      f'{dataset.name} has images of {dataset.image_shape[-1]} channels; only '
      'grey ones can be laid over each other (num_objects=1 for others)'
    )


def create_examples(config: ConfigDict, num_classes: int) -> Examples:
  """How examples are made of images.

  Args:
    config: the configuration.
    num_classes: the number of classes.
  """
  preparation = Preparation(
    crop_size=config.images.crop_size,
    standardize=config.images.standardize,
    **config.augmentation,
  )
  singles = SingleExamples(num_classes, preparation)
  if config.num_objects == 1:
    return singles
  return PairExamples(singles, **config.pairs)
