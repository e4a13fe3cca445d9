"""Parts of a run that several fields of its configuration decide together."""

import dataclasses
import functools

from capsjax.data import Dataset
from capsjax.errors import UserError
from capsjax.examples import (
  Examples,
  PairExamples,
  Preparation,
  SingleExamples,
)
from capsjax.runs.config import CapsNetConfig, Config
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


def create_objective(config: Config) -> Objective:
  """What the configuration's model is trained for."""
  function, _ = _OBJECTIVES[config.model_name, config.num_objects]
  weights = dataclasses.asdict(config.loss) if config.loss else {}
  return functools.partial(function, **weights)


def classification_loss_name(config: Config) -> str:
  """What the classification loss of the configuration's model is called."""
  _, name = _OBJECTIVES[config.model_name, config.num_objects]
  return name


def require_sense(config: Config, dataset: Dataset) -> None:
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
  model = config.model
  has_decoder = isinstance(model, CapsNetConfig) and model.has_decoder
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


def create_examples(config: Config, num_classes: int) -> Examples:
  """How examples are made of images.

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
