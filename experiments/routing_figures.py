"""The pictures of the routing analysis (figures A.1 and A.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  import matplotlib.figure


def change_figure(
  runs: Mapping[str, Mapping[str, Any]],
) -> 'matplotlib.figure.Figure':
  """Draws figure A.1: the changes during training, and at its end.

  The changes at the end are drawn on a linear and on a log scale.

  Args:
    runs: the runs by number of iterations; the `changes` of a run map epochs to
      the mean change of the routing logits in each iteration.
  """
  from matplotlib.figure import Figure
  from matplotlib.ticker import MaxNLocator

  figure = Figure(figsize=(13, 3.6), layout='constrained')
  during, linear, log = figure.subplots(1, 3)
  changes = {count: run['changes'] for count, run in runs.items()}
  most = max(changes, key=int)
  longest = changes[most]
  for iteration, values in enumerate(zip(*longest.values(), strict=True), 1):
    epochs = [int(epoch) for epoch in longest]
    during.plot(epochs, values, marker='.', label=f'{iteration}')
  during.set_title(f'of {most} iterations, during training')
  during.set_xlabel('epoch')
  # Beside the plot, because the lines leave no room inside; in their order.
  during.legend(
    title='iteration',
    fontsize='x-small',
    reverse=True,
    loc='center left',
    bbox_to_anchor=(1, 0.5),
  )
  for axes, title in ((linear, 'in the end'), (log, 'in the end, log scale')):
    for count, by_epoch in changes.items():
      values = list(by_epoch.values())[-1]
      axes.plot(range(1, len(values) + 1), values, marker='o', label=count)
    axes.set_title(title)
    axes.set_xlabel('routing iteration')
    axes.legend(title='iterations', fontsize='x-small')
  log.set_yscale('log')
  for axes in (during, linear, log):
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel('mean |change of b|')
    axes.grid(alpha=0.3)
  return figure


def loss_figure(
  runs: Mapping[str, Mapping[str, Any]],
) -> 'matplotlib.figure.Figure':
  """Draws figure A.2: the training loss over the epochs.

  Args:
    runs: the runs by number of iterations, each with `epoch` and
      `training_loss`.
  """
  import numpy as np

  from capsjax.visualization import Curve, curves_figure

  def as_curve(found):
    return Curve(np.array(found['epoch']), np.array(found['training_loss']))

  lines = {
    f'{count} iteration{"s" if count != "1" else ""}': [as_curve(found)]
    for count, found in runs.items()
  }
  return curves_figure({'training loss on CIFAR10': lines}, columns=1)
