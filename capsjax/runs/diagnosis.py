"""Diagnoses saturated, dead and idly routed capsules in one line."""

from collections.abc import Iterator, Mapping

from capsjax.models import CapsNet
from capsjax.runs.experiment import Experiment

# Capsules are saturated if their mean length is above _SATURATED_LENGTH and
# varies between images by less than _LEAST_DEVIATION; a layer is dead if more
# than _DEAD_SHARE of its lengths are short; routing is idle if the entropy of
# its couplings stays above _IDLE_ENTROPY.
_SATURATED_LENGTH, _LEAST_DEVIATION = 0.95, 0.05
_DEAD_SHARE = 0.95
_IDLE_ENTROPY = 0.99


def diagnosis_line(
  experiment: Experiment, diagnosis: Mapping[str, float]
) -> str | None:
  """Names the capsule layers that are saturated, dead, or routed idly.

  Args:
    experiment: the experiment being trained.
    diagnosis: the result of `Experiment.diagnose`.

  Returns:
    The line, or None if all layers are well.
  """
  layers: dict[str, dict[str, float]] = {}
  for name, number in diagnosis.items():
    kind, _, rest = name.partition('/')
    if kind == 'capsules':
      layer, _, statistic = rest.rpartition('/')
      layers.setdefault(layer, {})[statistic] = number
  sentences = [
    f'{layer} {fault}'
    for layer, numbers in layers.items()
    for fault in (*_of_lengths(experiment, numbers), *_of_routing(numbers))
  ]
  return '; '.join(sentences) or None


def smaller_steps(experiment: Experiment) -> str:
  """Returns a setting that makes the first steps smaller.

  Args:
    experiment: the experiment whose steps were too large.
  """
  model, config = experiment.model, experiment.config
  if not config.optimizer.warmup_steps:
    return '--config.optimizer.warmup_steps=100'
  if isinstance(model, CapsNet) and model.primary_scale == 1 < model.num_types:
    return f'--config.model.primary_scale={1 / model.num_types:g}'
  return (
    f'--config.optimizer.learning_rate={config.optimizer.learning_rate / 10:g}'
  )


def _of_lengths(
  experiment: Experiment, numbers: Mapping[str, float]
) -> Iterator[str]:
  length, deviation = numbers['length'], numbers['length_deviation']
  if length > _SATURATED_LENGTH and deviation < _LEAST_DEVIATION:
    yield (
      f'are saturated (lengths of {length:.2f}, which vary by '
      f'{deviation:.3f} between images): try {smaller_steps(experiment)}'
    )
  if numbers['share_short'] > _DEAD_SHARE:
    remedy = smaller_steps(experiment)
    if isinstance(experiment.model, CapsNet):
      remedy = '--config.model.initialization=official'
    yield (
      f'are dead ({100 * numbers["share_short"]:.0f}% of their lengths are '
      f'below 0.01): try {remedy}'
    )


def _of_routing(numbers: Mapping[str, float]) -> Iterator[str]:
  """Yields nothing for layers without routing or with one iteration."""
  iterations = [
    int(name.removeprefix('coupling_entropy_'))
    for name in numbers
    if name.startswith('coupling_entropy_')
  ]
  last = max(iterations, default=1)
  if last > 1 and numbers[f'coupling_entropy_{last}'] > _IDLE_ENTROPY:
    yield (
      'are routed idly (the largest coupling is '
      f'{numbers["largest_coupling_1"]:.3f} in iteration 1 and '
      f'{numbers[f"largest_coupling_{last}"]:.3f} in iteration {last}): '
      '--config.model.routing.num_iterations=1 would give nearly the same'
    )
