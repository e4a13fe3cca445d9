"""The report of one run: results, training curves, what it learned."""

import numpy as np
from jaxtyping import Bool, Float
from tqdm import tqdm

from capsjax import console
from capsjax.gallery import couplings, overlaps, perturbations, reconstructions
from capsjax.gallery.capsule_course import course_of_capsules
from capsjax.gallery.choice import all_predicted, one_of_each_class
from capsjax.runs.course import (
  Line,
  curve,
  error_curve,
  read_course,
  training_seconds,
)
from capsjax.runs.experiment import count_parameters
from capsjax.runs.fields import flatten
from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import (
  Block,
  Section,
  Table,
  confusion_figure,
  curves_figure,
)

# The number of most confident mistakes to show.
_NUM_MISTAKES = 20

# The scores of all test images.
_Scores = Float[np.ndarray, 'n num_classes']


def describe_run(trained: TrainedRun) -> list[Section]:
  """Describes a run up to its checkpoint.

  Args:
    trained: the run.

  Returns:
    Sections of a report.

  Raises:
    UserError: if the run has no metrics yet.
  """
  # Metrics after the checkpoint are of another state of the network.
  course = [
    line for line in read_course(trained.folder) if line['step'] <= trained.step
  ]
  scores, is_right = _all_scores(trained)
  sections = [
    Section('Summary', [Block(table=_summary(trained, course, is_right))]),
    _course(course),
    *course_of_capsules(course),
  ]
  if trained.experiment.examples.num_objects > 1:
    sections += _overlaps(trained, is_right)
  else:
    sections.append(_classes(trained, scores))
    if trained.has_decoder:
      sections += _pictures(trained, scores)
    sections += _couplings(trained, scores)
  fields = flatten(trained.experiment.config).items()
  rows = [(name, repr(value)) for name, value in sorted(fields)]
  table = Table(('field', 'value'), rows)
  return [*sections, Section('Configuration', [Block(table=table)])]


def _all_scores(trained: TrainedRun) -> tuple[_Scores, Bool[np.ndarray, ' n']]:
  """Returns the scores of all test examples, and which are correct."""
  scores, is_right = [], []
  with tqdm(
    total=trained.experiment.test_size,
    unit='image',
    leave=False,
    disable=console.hides_bar(),
  ) as progress:
    for output, targets in trained.inference.apply_in_batches(
      trained.variables
    ):
      scores.append(output.scores)
      is_right.append(all_predicted(output.scores, targets))
      progress.update(len(targets))
  return np.concatenate(scores), np.concatenate(is_right)


def _summary(
  trained: TrainedRun, course: list[Line], is_right: Bool[np.ndarray, ' n']
) -> Table:
  experiment, config = trained.experiment, trained.experiment.config
  count, wrong = len(is_right), int((~is_right).sum())
  training = training_seconds(course, config.batch_size)
  rows = {
    'test error': f'{100 * wrong / count:.2f}%',
    'mistakes': f'{wrong:,} of {count:,} test images',
    'epochs': f'{trained.step / experiment.steps_per_epoch:.4g}',
    'training images': f'{len(experiment.dataset.train):,}',
    'model': f'{config.model_name}, '
    f'{count_parameters(trained.params):,} parameters',
    'seed': f'{config.seed}',
    'time for training steps': f'{training / 60:.1f} minutes',
  }
  evaluations = curve(course, 'test/seconds').values
  if len(evaluations):
    rows['time for evaluations'] = f'{evaluations.sum() / 60:.1f} minutes'
  if experiment.examples.num_objects == 1:
    labels = experiment.dataset.test.labels
    recalls = [is_right[labels == label].mean() for label in np.unique(labels)]
    rows['balanced accuracy'] = f'{100 * np.mean(recalls):.2f}%'
  return Table((), list(rows.items()))


# Panels of curves: the heading, then the label and metric of each curve.
_PANELS = {
  'loss': {'training': 'train/loss', 'test': 'test/loss'},
  'accuracy': {'training': 'train/accuracy', 'test': 'test/accuracy'},
  'learning rate': {'': 'train/learning_rate'},
}


def _course(course: list[Line]) -> Section:
  panels = {
    title: {
      label: [found]
      for label, name in names.items()
      if len((found := curve(course, name)).epochs)
    }
    for title, names in _PANELS.items()
  }
  errors = error_curve(course)
  rows = [
    (f'{epoch:g}', f'{error:.2f}%')
    for epoch, error in zip(*errors, strict=True)
  ]
  if rows:
    panels['test error in percent'] = {'': [errors]}
  blocks = [Block(figure=curves_figure(panels))]
  if rows:
    table = Table(('epoch', 'test error'), rows)
    blocks.append(Block('Test error by epoch', table=table))
  return Section('Training', blocks)


def _classes(trained: TrainedRun, scores: _Scores) -> Section:
  labels = trained.experiment.dataset.test.labels
  count = trained.experiment.dataset.num_classes
  confusion = np.zeros((count, count), int)
  np.add.at(confusion, (labels, scores.argmax(-1)), 1)
  names = trained.experiment.dataset.class_names
  rows = [
    (
      names[label],
      row.sum(),
      f'{100 * row[label] / row.sum():.2f}%' if row.sum() else '–',
    )
    for label, row in enumerate(confusion)
  ]
  table = Table(('class', 'images', 'recall'), rows)
  return Section(
    'Classes',
    [
      Block('Confusion', figure=confusion_figure(confusion, names)),
      Block('Recall by class', table=table),
    ],
  )


def _pictures(trained: TrainedRun, scores: _Scores) -> list[Section]:
  labels = trained.experiment.dataset.test.labels
  is_right = scores.argmax(-1) == labels
  right = np.flatnonzero(is_right)[
    : trained.experiment.config.pictures.num_images
  ]
  # How much longer the winning capsule is than the capsule of the label.
  lead = scores.max(-1) - scores[np.arange(len(labels)), labels]
  worst = np.argsort(-lead, kind='stable')[:_NUM_MISTAKES]
  worst = worst[~is_right[worst]]
  one_of_each = one_of_each_class(labels, is_right)
  sections = []
  if len(worst):
    note = 'Sorted by how much longer the wrong capsule is than the right one.'
    figure = reconstructions.draw(trained, worst)
    sections.append(
      Section('Worst mistakes', [Block(note=note, figure=figure)])
    )
  if len(right):
    figure = reconstructions.draw(trained, right)
    sections.append(Section('Reconstructions', [Block(figure=figure)]))
  note = (
    'Each row changes one dimension of the class capsule of a test image, by '
    'the number above each column.'
  )
  pictures = perturbations.draw(trained, one_of_each)
  sections.append(Section('Perturbations', [Block(note=note, figure=pictures)]))
  return sections


def _overlaps(
  trained: TrainedRun, is_right: Bool[np.ndarray, ' n']
) -> list[Section]:
  if not trained.has_decoder:
    return []
  count = trained.experiment.config.pictures.num_images
  shown = [np.flatnonzero(which)[:count] for which in (is_right, ~is_right)]
  figure = overlaps.draw(trained, np.concatenate(shown))
  return [Section('Reconstructions', [Block(figure=figure)])]


def _couplings(trained: TrainedRun, scores: _Scores) -> list[Section]:
  labels = trained.experiment.dataset.test.labels
  is_right = scores.argmax(-1) == labels
  figure = couplings.draw(trained, one_of_each_class(labels, is_right))
  note = (
    'What the primary capsules at each position add to the winning capsule in '
    'the last routing iteration: coupling times vote, along that capsule. The '
    'thin line divides the dark parts of the image from the light ones.'
  )
  block = Block(note=note, figure=figure)
  return [] if figure is None else [Section('Couplings', [block])]
