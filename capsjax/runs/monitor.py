"""Evaluates a run while it trains, and writes what it has learned."""

import time
from typing import Any

import numpy as np

from capsjax.data import Split
from capsjax.errors import missing_of
from capsjax.runs.experiment import Experiment
from capsjax.runs.inference import Inference
from capsjax.runs.summary import warning_of_no_learning
from capsjax.runs.writers import Writers
from capsjax.training import Plan, Progress, Results
from capsjax.visualization import (
  confusion_figure,
  figure_pixels,
  image_grid,
)

# The number of test images shown with their reconstructions.
_NUM_PICTURES = 10


class Monitor:
  """Evaluates a network, then writes and prints the results.

  Attributes:
    test: the last result on the test set, or None.
    diagnosis: the last capsule statistics and gradient norms by name; empty if
      the configuration turns diagnostics off.
    best: the best accuracy so far on the set that selects the best state, or
      None.

  Args:
    experiment: the experiment being trained.
    plan: the length of the training, at whose end pictures are drawn.
    best: the best accuracy of the run before it was resumed, or None.
    writer: writes scalars and pictures.
    progress: prints lines, and is paused during an evaluation.
  """

  def __init__(
    self,
    experiment: Experiment,
    plan: Plan,
    best: float | None,
    *,
    writer: Writers,
    progress: Progress,
  ) -> None:
    self.test: Results | None = None
    self.diagnosis: dict[str, float] = {}
    self.best = best
    self._experiment = experiment
    self._plan = plan
    self._writer = writer
    self._progress = progress
    self._inference = Inference(experiment)

  def __call__(self, step: int, variables: Any) -> float | None:
    """Evaluates on the test set, and on the validation set if there is one.

    Args:
      step: the number of steps taken.
      variables: the model's variables, on every device.

    Returns:
      The accuracy that selects the best state, on the set that the
      configuration names; None if there is no such set.
    """
    dataset, config = self._experiment.dataset, self._experiment.config
    with self._progress.paused():
      self.test = self._measure('test', step, dataset.test, variables)
      warning = warning_of_no_learning(self._experiment, self.test)
      if warning:
        self._progress.write(warning)
      validation = None
      if dataset.validation is not None:
        validation = self._measure(
          'validation', step, dataset.validation, variables
        )
      chosen = self.test if config.select_best_by == 'test' else validation
      if config.diagnostics:
        self.diagnosis = self._experiment.diagnose(variables)
        self._writer.write_scalars(step, self.diagnosis)
      if chosen is not None:
        self.best = max(chosen.accuracy, self.best or 0.0)
      is_last = self._plan.is_over(step, self.best)
      if not missing_of('pages') and (
        is_last or config.pictures.every_evaluation
      ):
        self._write_pictures(step, variables, self.test)
    return None if chosen is None else chosen.accuracy

  def _measure(
    self, name: str, step: int, split: Split, variables: Any
  ) -> Results:
    """Evaluates a split, then writes and prints the results."""
    started = time.monotonic()
    results = self._experiment.evaluate(variables, split)
    scalars = self._experiment.scalars(name, results)
    scalars[f'{name}/error_percent'] = results.error
    scalars[f'{name}/seconds'] = time.monotonic() - started
    self._writer.write_scalars(step, scalars)
    epoch = step / self._experiment.steps_per_epoch
    self._progress.write(
      f'epoch {epoch:g}: {name} error {results.error:.2f}%, loss '
      f'{results.loss:.4f} ({results.count:,} images)'
    )
    return results

  def _write_pictures(
    self, step: int, variables: Any, results: Results
  ) -> None:
    confusion = confusion_figure(
      np.array(results.confusion), self._experiment.dataset.class_names
    )
    pictures = {'test/confusion': figure_pixels(confusion)}
    shown = np.arange(min(_NUM_PICTURES, self._experiment.test_size))
    reconstructions = self._inference.apply(variables, shown).reconstructions
    if reconstructions is not None:
      rows = [self._inference.examples(shown).images]
      # Images of several objects have one reconstruction per object.
      several = reconstructions.ndim > rows[0].ndim
      rows += (
        list(reconstructions.swapaxes(0, 1)) if several else [reconstructions]
      )
      pictures['test/images_and_reconstructions'] = image_grid(rows)
    self._writer.write_images(step, pictures)
