"""Text printed before, during and after training."""

import math
import platform
from importlib import metadata

import jax

from capsjax.errors import missing_of
from capsjax.models import CapsNet
from capsjax.runs.config import Config, LossConfig
from capsjax.runs.diagnosis import smaller_steps
from capsjax.runs.experiment import Experiment, count_parameters
from capsjax.runs.fields import named_fields
from capsjax.runs.folder import RunFolder
from capsjax.training import Plan, Results, TrainState
from capsjax.version import VERSION

# JAX's setting; not every version declares it for type checkers.
_CACHE = 'jax_compilation_cache_dir'


def start_summary(
  experiment: Experiment,
  plan: Plan,
  folder: RunFolder,
  state: TrainState,
  *,
  loaded: str = '',
) -> str:
  """Describes the run that is about to be trained.

  Args:
    experiment: the parts of the run.
    plan: its length.
    folder: its folder.
    state: the state that it starts from.
    loaded: what was loaded from another network, and what was not.
  """
  dataset, config = experiment.dataset, experiment.config
  sizes = [f'{len(dataset.train):,} training']
  if dataset.validation is not None:
    sizes.append(f'{len(dataset.validation):,} validation')
  sizes.append(f'{experiment.test_size:,} test')
  height, width, channels = experiment.image_shape
  step = int(state.step)
  start = f'continued after step {step:,}' if step else 'from the beginning'
  frozen = f'frozen: {", ".join(config.freeze)}' if config.freeze else ''
  lines = {
    'devices': experiment.devices.description,
    'data': f'{dataset.name}: {" + ".join(sizes)} images, '
    f'{height}x{width}x{channels}, {dataset.num_classes} classes'
    + (', two in each image' if config.num_objects == 2 else ''),
    'model': f'{config.model_name}, {count_parameters(state.params):,} '
    'parameters',
    'weights': '; '.join(filter(None, [loaded, frozen])),
    'training': f'{_epochs(config.num_epochs)} of {plan.steps_per_epoch} '
    f'steps, batch {config.batch_size}, {start}',
    'best': _selection(experiment),
    'pictures': "none without matplotlib: pip install 'capsjax[pages]'"
    if missing_of('pages')
    else '',
    'run': f'{folder} (tensorboard --logdir {folder})',
  }
  return '\n'.join(f'{name:9} {text}' for name, text in lines.items() if text)


def details(experiment: Experiment) -> str:
  """Returns what `--verbose` adds: versions, and fields that were set."""
  names = 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy'
  versions = [f'{name} {metadata.version(name)}' for name in names]
  fields = [
    f'{field.name}={field.value!r}'
    for field in named_fields(experiment.config)
    if field.value != field.default
  ]
  lines = {
    'versions': ', '.join(
      [f'capsjax {VERSION}', f'Python {platform.python_version()}', *versions]
    ),
    'cache': str(getattr(jax.config, _CACHE)),
    'fields': ' '.join(fields),
  }
  return '\n'.join(f'{name:9} {text}' for name, text in lines.items())


def _selection(experiment: Experiment) -> str:
  if experiment.config.select_best_by == 'test':
    return 'chosen by the TEST set, so its error is not an honest estimate'
  if experiment.dataset.validation is None:
    return 'not chosen; hold images out with --config.validation_size=5000'
  return 'chosen by the validation set'


def warning_of_no_learning(
  experiment: Experiment, results: Results
) -> str | None:
  """Returns advice if a CapsNet does worse than a network that sees nothing.

  Adam's first steps can saturate all capsules and stall learning.

  Args:
    experiment: the experiment being trained.
    results: the results on some images.

  Returns:
    The advice in one line, or None if none is needed.
  """
  model, config = experiment.model, experiment.config
  if not isinstance(model, CapsNet):
    return None
  num_classes = experiment.dataset.num_classes
  chance = 1 / math.comb(num_classes, config.num_objects)
  blind = _margin_loss_of_the_blind(config, num_classes)
  if results.accuracy > 1.5 * chance or results.classification_loss <= blind:
    return None
  return (
    f'the margin loss, {results.classification_loss:.2f}, is above the '
    f'{blind:.2f} of a network that sees nothing: the steps so far were too '
    f'few or too large; if it stays there, try {smaller_steps(experiment)} '
    'in another --workdir'
  )


def _margin_loss_of_the_blind(config: Config, num_classes: int) -> float:
  """Returns the least margin loss of lengths that ignore the image.

  Assumes that all classes are equally frequent.
  """
  loss = config.loss if isinstance(config.loss, LossConfig) else LossConfig()
  present = config.num_objects
  absent = loss.down_weight * (num_classes - present)
  # The minimum of present (m+ - l)^2 + absent (l - m-)^2 over lengths l.
  span = loss.positive_margin - loss.negative_margin
  return span**2 * present * absent / (present + absent)


def closing_line(results: Results, epochs: float, minutes: float) -> str:
  """Returns the final test error."""
  return (
    f'test error {results.error:.2f}% (accuracy {100 * results.accuracy:.2f}% '
    f'of {results.count:,} images) after {_epochs(epochs)}; {minutes:.1f} '
    'minutes'
  )


def _epochs(count: int | float) -> str:
  return f'{count:g} epoch{"" if count == 1 else "s"}'
