"""The metrics, pictures and configuration of a run for Weights & Biases."""

import importlib.util
import math
import os
import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.errors import UserError, first_line
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


def require_wandb() -> None:
  """Checks that the package `wandb` is installed.

  Raises:
    UserError: if it is not.
  """
  found = importlib.util.find_spec('wandb')
  # A folder of this name, such as wandb writes, passes for an empty package.
  if found is None or found.origin is None:
    raise UserError(
      "config.tracking='wandb' needs the package wandb, not installed here: "
      "pip install 'capsjax[wandb]'"
    )


class WandbWriter:
  """Sends metrics and pictures to Weights & Biases; a `Writer`.

  A run that resumes continues its run there, whose id is in the folder. What is
  there already stays: training is deterministic, so that it would be the same.
  The variables of wandb apply, such as WANDB_MODE=offline and WANDB_PROJECT.

  Args:
    folder: the folder of the run, which exists.
    config: the configuration, in nested dictionaries.

  Raises:
    UserError: if there is no login, or the service does not answer.
  """

  def __init__(self, folder: RunFolder, config: Mapping[str, Any]) -> None:
    import wandb

    self._wandb = wandb
    try:
      self._run = wandb.init(
        project=os.environ.get('WANDB_PROJECT') or 'capsjax',
        name=os.environ.get('WANDB_NAME') or folder.path.absolute().name,
        id=_run_id(folder),
        resume='allow',
        dir=str(folder.path.absolute()),
        config=dict(config),
        # Fields such as num_epochs may change when a run resumes.
        allow_val_change=True,
        # A script may have a run of its own.
        reinit='create_new',
        settings=wandb.Settings(console='off', quiet=True),
      )
    except wandb.Error as error:
      raise UserError(
        f'Weights & Biases cannot be used ({first_line(error)}); run `wandb '
        "login`, set WANDB_MODE=offline, or train with --config.tracking=''"
      ) from error

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Logs numbers; those that are not finite are left out."""
    finite = {k: v for k, v in scalars.items() if math.isfinite(v)}
    self._run.log(finite, step=step)

  def write_images(
    self, step: int, images: Mapping[str, UInt8[np.ndarray, 'h w c']]
  ) -> None:
    """Logs pictures."""
    pictures = {
      # A grey image has no axis of channels there.
      name: self._wandb.Image(image[..., 0] if image.shape[-1] == 1 else image)
      for name, image in images.items()
    }
    self._run.log(pictures, step=step)

  def close(self) -> None:
    """Waits until everything is sent."""
    self._run.finish()


def _run_id(folder: RunFolder) -> str:
  """Returns the id of the run there, which is kept in the folder."""
  path = folder.wandb_id
  with folder.writes_told():
    if not path.exists():
      write_file(path, secrets.token_hex(8))
    return path.read_text().strip()
