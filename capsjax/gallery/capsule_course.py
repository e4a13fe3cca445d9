"""The course of the capsules of a run, as a section of its report."""

from collections.abc import Sequence

from capsjax.runs.course import Line, curve
from capsjax.visualization import Block, Curve, Section, curves_figure


def course_of_capsules(course: Sequence[Line]) -> list[Section]:
  """The course of capsule statistics and of gradient norms, if written.

  Args:
    course: the lines of a run's metrics.

  Returns:
    A section of a report, or none.
  """
  names = {name: None for line in course for name in line}
  panels: dict[str, dict[str, list[Curve]]] = {}
  for name in names:
    kind, _, rest = name.partition('/')
    if kind == 'capsules':
      layer, _, statistic = rest.rpartition('/')
      # Those of all iterations, or of all layers, share a panel.
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
    'On one batch of training images. Lengths should differ between images; '
    'couplings whose entropy stays at 1 are uniform.'
  )
  return [Section('Capsules', [Block(note=note, figure=curves_figure(panels))])]
