"""Reads the data that a configuration names."""

from capsjax.data import (
  Dataset,
  hold_out,
  limit_training,
  load_dataset,
  mix_classes,
)
from capsjax.runs.config import Config
from capsjax.runs.parts import require_sense


def read_dataset(config: Config) -> Dataset:
  """Reads or downloads the data, and chooses and orders their images.

  Raises:
    UserError: if they are missing or damaged, or do not fit the configuration.
  """
  # A download should not come before a complaint.
  require_sense(config)
  dataset = load_dataset(
    config.dataset,
    data_dir=config.data_dir or None,
    validation_size=config.validation_size,
    train_size=config.train_size,
    seed=config.seed,
    image_size=config.images.size,
    channels=config.images.channels,
    background=config.images.background,
  )
  return _mixed(dataset, config)


def choose_images(dataset: Dataset, config: Config) -> Dataset:
  """Chooses and orders images as `read_dataset` does.

  Args:
    dataset: the whole data set.
    config: the configuration.

  Raises:
    UserError: if there are fewer images than the configuration wants.
  """
  dataset = hold_out(
    dataset, validation_size=config.validation_size, seed=config.seed
  )
  dataset = limit_training(
    dataset, train_size=config.train_size, seed=config.seed
  )
  return _mixed(dataset, config)


def _mixed(dataset: Dataset, config: Config) -> Dataset:
  # Pairs are drawn at random anyway, and would become other pairs.
  if config.num_objects > 1:
    return dataset
  return mix_classes(dataset, seed=config.seed)
