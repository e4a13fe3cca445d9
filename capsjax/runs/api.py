"""What a script calls to train a run."""

import dataclasses
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from capsjax import runtime
from capsjax.data import Dataset
from capsjax.errors import UserError
from capsjax.runs import configuration
from capsjax.runs.config import Config
from capsjax.runs.loading import load
from capsjax.runs.reading import choose_images
from capsjax.runs.trained_run import TrainedRun
from capsjax.runs.trainer import train_run


def train(
  config: Config | ConfigDict | Path | str,
  workdir: Path | str,
  *,
  dataset: Dataset | None = None,
  params: Any = None,
) -> TrainedRun:
  """Trains a run to its end, from where it is.

  Args:
    config: a configuration, or the file of one.
    workdir: the folder of the run, which is continued if there is one.
    dataset: the images, such as `dataset_from_arrays` makes; those that the
      configuration names if None.
    params: parameters of another network, such as `load(...).params`. A new run
      starts from those that fit, as with `config.init_from`; with
      `config.freeze`, parts of them are not trained. A run that is continued
      ignores them.

  Returns:
    The run; after Ctrl-C, as far as it came.

  Raises:
    UserError: if the run cannot be started or continued, or diverges.

  Examples:
    A tiny network learns which half of an image is bright:

    >>> import capsjax
    >>> import numpy as np
    >>> labels = np.arange(64) % 2
    >>> images = np.random.default_rng(0).random((64, 12, 12)) / 2
    >>> images[labels == 0, :, :6] += 0.5
    >>> images[labels == 1, :, 6:] += 0.5
    >>> dataset = capsjax.dataset_from_arrays(
    ...   (images, labels), (images, labels), class_names=('left', 'right')
    ... )
    >>> config = capsjax.default_config()
    >>> config.batch_size, config.num_epochs = 16, 10
    >>> config.model.conv_kernel_size = config.model.primary_kernel_size = 3, 3
    >>> config.model.conv_features, config.model.num_types = 4, 2
    >>> config.model.decoder_sizes = (16,)
    >>> config.eval_every_epochs = 10
    >>> config.optimizer.learning_rate = 0.01
    >>> config.optimizer.warmup_steps = 10
    >>> run = capsjax.train(config, 'runs/bright', dataset=dataset)
    devices ...
    >>> float((run.predict(images) == labels).mean())
    1.0
  """
  if isinstance(config, Path | str):
    config = configuration.load_config(config)
  elif isinstance(config, ConfigDict):
    config = configuration.from_dict(config.to_dict())
  if dataset is not None:
    if not isinstance(dataset, Dataset):
      raise UserError(
        f'dataset is a {type(dataset).__name__}; make a data set of your arrays'
        ' with capsjax.dataset_from_arrays(train, test)'
      )
    # Arrays are trained on as they are.
    images = dataclasses.replace(
      config.images, size=0, channels=0, background=0
    )
    config = dataclasses.replace(config, dataset=dataset.name, images=images)
  config = configuration.from_dict(dataclasses.asdict(config))
  if dataset is not None:
    dataset = choose_images(dataset, config)
  runtime.start(matmul_precision=config.matmul_precision)
  train_run(config, Path(workdir), dataset=dataset, params=params)
  return load(workdir)
