"""Capsule statistics during training, as a section of a report."""

from collections.abc import Sequence

from capsjax.runs.course import Line, curve
from capsjax.visualization import Block, Curve, Section, curves_figure


def course_of_capsules(course: Sequence[Line]) -> list[Section]:
  """Plots capsule statistics and gradient norms, if they were logged.

  Args:
    course: the metrics of a run, as `read_course` returns them.

  Returns:
    A list of one section, or an empty list.
  """
  names = {name: None for line in course for name in line}
  panels: dict[str, dict[str, list[Curve]]] = {}
  for name in names:
    kind, _, rest = name.partition('/')
    if kind == 'capsules':
      layer, _, statistic = rest.rpartition('/')
      # All iterations of a statistic share a panel, and so do all layers.
      title, _, iteration = statistic.rpartition('_')
      if iteration.isdecimal():
        label = f'iteration {iteration}'
        title = f'{layer}: {title.replace("_", " ")}'
      else:
        title, label = statistic.replace('_', ' '), layer
    elif kind == 'gradient_norm':
      title, label = 'gradient norm', rest
    else:
      continue
    panels.setdefault(title, {})[label] = [curve(course, name)]
  if not panels:
    return []
  note = (
    'Measured on one batch of training images. Lengths should vary between '
    'images; couplings whose entropy stays at 1 are uniform.'
  )
  return [Section('Capsules', [Block(note=note, figure=curves_figure(panels))])]
