"""The parts of the benchmark; each yields rows, which the report prints."""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from experiments.benchmarks import (
  child,
  epochs,
  limits,
  programs,
  routing,
  steps,
  work,
)
from experiments.benchmarks.case import Case
from experiments.benchmarks.timing import ratio, spread, take_turns

Row = dict[str, Any]
_ITEMSIZE = {'float32': 4, 'bfloat16': 2}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is measured, and how often.

  Attributes:
    batch_sizes: numbers of images per batch.
    dtypes: 'float32', 'bfloat16'.
    repeats: how often each call is timed.
    patience: the seconds above which a call is timed once, and its contender
      left out at larger batch sizes.
    sizes: network fields that differ from the paper's.
    contenders: names in `steps.CONTENDERS`, 'capsjax' first.
    rates: the machine's peak rates, from `limits.measure`.
  """

  batch_sizes: Sequence[int]
  dtypes: Sequence[str]
  repeats: int
  patience: float
  sizes: Mapping[str, Any]
  contenders: Sequence[str]
  rates: Mapping[str, Mapping[str, float]]

  def least_seconds(self, least: work.Work, dtype: str) -> float:
    """Returns the least time for this work at the measured rates."""
    rates = self.rates[dtype]['median'], self.rates['copy']['median']
    return least.seconds(*rates)


def training(settings: Settings) -> Iterator[Row]:
  """Times the training step of every contender, by batch size and dtype."""
  for dtype in settings.dtypes:
    too_slow: set[str] = set()
    for batch in settings.batch_sizes:
      case = Case('', batch, dtype, settings.sizes)
      names = [n for n in settings.contenders if n not in too_slow]
      if dtype != 'float32':  # Plain JAX has no mixed precision.
        names = [n for n in names if n != 'plain JAX']
      calls = {n: steps.CONTENDERS[n](case) for n in names}
      seconds = _per_step(
        take_turns(calls, repeats=settings.repeats, patience=settings.patience)
      )
      least = work.training_step(batch=batch, itemsize=_ITEMSIZE[dtype])
      limit = None if settings.sizes else settings.least_seconds(least, dtype)
      for row in _rows(seconds, batch, limit):
        yield {'dtype': dtype, 'batch': batch, **row}
      too_slow |= {n for n in names if len(seconds[n]) < settings.repeats}


def epoch(settings: Settings) -> Iterator[Row]:
  """Times an epoch from images in host memory, at the batch nearest to 128."""
  batch = min(settings.batch_sizes, key=lambda size: abs(size - 128))
  for dtype in settings.dtypes:
    case = Case('', batch, dtype, settings.sizes)
    count = epochs.images_per_epoch(case)
    calls = {'capsjax': epochs.capsjax_epoch(case, count)}
    for name in settings.contenders:
      if name in ('PyTorch', 'PyTorch, compiled') and _is_native(dtype):
        compiled = name == 'PyTorch, compiled'
        calls[name] = epochs.torch_epoch(case, count, compiled=compiled)
    seconds = take_turns(calls, repeats=settings.repeats)
    for row in _rows(seconds, count, None):
      yield {'dtype': dtype, 'batch': batch, 'images': count, **row}


def _is_native(dtype):
  """Whether PyTorch runs it without emulation, which takes minutes a step."""
  return dtype == 'float32' or jax.default_backend() != 'cpu'


def evaluation(settings: Settings) -> Iterator[Row]:
  """Times an evaluation: forward pass, losses and confusion matrix."""
  for dtype in settings.dtypes:
    for batch in settings.batch_sizes:
      case = Case('capsjax', batch, dtype, settings.sizes)
      count = max(1024 // batch, 1) * batch
      if settings.sizes:
        count = batch
      calls = {'capsjax': steps.capsjax_evaluation(case, count)}
      if 'PyTorch' in settings.contenders and _is_native(dtype):
        calls['PyTorch'] = steps.torch_evaluation(case, count)
      seconds = take_turns(calls, repeats=settings.repeats)
      least = work.evaluation(batch=count, itemsize=_ITEMSIZE[dtype])
      limit = None if settings.sizes else settings.least_seconds(least, dtype)
      for row in _rows(seconds, count, limit):
        yield {'dtype': dtype, 'batch': batch, **row}


def routing_alone(settings: Settings) -> Iterator[Row]:
  """Times routing from inputs and kernel, with and without backward pass."""
  paper = {'in_caps': 1152, 'out_caps': 10, 'num_iterations': 3}
  others: list[dict[str, int]] = [
    {'num_iterations': 1},
    {'num_iterations': 5},
    {'in_caps': 4608},
    {'in_caps': 9216},
    {'out_caps': 100},
  ]
  cases = [
    (batch, dtype, paper)
    for dtype in settings.dtypes
    for batch in settings.batch_sizes
  ]
  batch = min(settings.batch_sizes, key=lambda size: abs(size - 128))
  cases += [(batch, settings.dtypes[0], paper | other) for other in others]
  if settings.sizes:  # only to check that everything runs
    cases = [(b, dtype, {**shape, 'in_caps': 12}) for b, dtype, shape in cases]
  for batch, dtype, sizes in cases:
    for backward in (False, True):
      shape = {'batch': batch, 'backward': backward, **sizes}
      calls = routing.calls(
        **shape, dtype=dtype, with_torch='PyTorch' in settings.contenders
      )
      seconds = take_turns(
        calls, repeats=settings.repeats, patience=settings.patience
      )
      least = work.routing(**shape, itemsize=_ITEMSIZE[dtype])
      limit = settings.least_seconds(least, dtype)
      for row in _rows(seconds, batch, limit):
        yield {'dtype': dtype, **shape, **row}


def memory(settings: Settings) -> Iterator[Row]:
  """Measures the peak memory of a training step, each in its own process."""
  names = [name for name in settings.contenders if name != 'plain JAX']
  for batch in settings.batch_sizes:
    for name in names:
      result = child.run(Case(name, batch, sizes=settings.sizes))
      yield {
        'batch': batch,
        'contender': name,
        'peak_memory_gb': result['peak_memory_gb'],
      }


def scaling(settings: Settings) -> Iterator[Row]:
  """Times our step on several devices, and as the problem grows."""
  batch = min(settings.batch_sizes, key=lambda size: abs(size - 128))
  paper = Case('capsjax', batch, sizes=settings.sizes, repeats=settings.repeats)
  variants = {
    'the paper': {},
    '2 devices': {'num_devices': 2},
    '4 devices': {'num_devices': 4},
    '40x40 images': {'image_shape': (40, 40, 1)},
    '64x64 images': {'image_shape': (64, 64, 1)},
    '50 classes': {'num_classes': 50},
    '100 classes': {'num_classes': 100},
    '64 types (2304 capsules)': {'sizes': {'num_types': 64}},
    '128 types (4608 capsules)': {'sizes': {'num_types': 128}},
  }
  names = list(variants)[:3] if settings.sizes else list(variants)
  for name in names:
    result = child.run(dataclasses.replace(paper, **variants[name]))
    yield {
      'batch': batch,
      'variant': name,
      'seconds': spread(_per_step({'': result['seconds']})['']),
      'peak_memory_gb': result['peak_memory_gb'],
      'loss': result['loss'],
    }


def other_programs(settings: Settings) -> Iterator[Row]:
  """Times gradients under `vmap` against a batch, and a single example."""
  batch = 2 if settings.sizes else 64
  for count, ops in (
    (batch, programs.gradients(batch)),
    (1, programs.one_example()),
  ):
    for op, ways in ops.items():
      calls = {name: way.call for name, way in ways.items()}
      seconds = take_turns(calls, repeats=settings.repeats)
      for row in _rows(seconds, count, None):
        temporary = round(ways[row['contender']].temporary_mb)
        yield {'op': op, 'batch': count, **row, 'temporary_mb': temporary}


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
  'training': training,
  'epoch': epoch,
  'evaluation': evaluation,
  'routing': routing_alone,
  'memory': memory,
  'scaling': scaling,
  'programs': other_programs,
}


def create_settings(*, size: int, **fields: Any) -> Settings:
  """Creates settings with rates measured now on matrices of this size."""
  rates = limits.measure(repeats=fields['repeats'], size=size)
  return Settings(rates=rates, **fields)


def _per_step(seconds):
  count = steps.steps_per_call()
  return {n: [s / count for s in times] for n, times in seconds.items()}


def _rows(seconds, images, limit):
  for name, times in seconds.items():
    row = {
      'contender': name,
      'seconds': spread(times),
      'images_per_second': spread([images / s for s in times]),
      'times_ours': ratio(seconds['capsjax'], times),
    }
    if limit is not None:
      row['fraction_of_limit'] = round(limit / statistics.median(times), 3)
    yield row
