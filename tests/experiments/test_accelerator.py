"""Accelerator measurements: each runs once, and within the time."""

import json
import signal
import time

import pytest

from capsjax.errors import UserError
from experiments.accelerator import __main__ as program
from experiments.accelerator import training
from experiments.accelerator.figures import Clock, Figures
from tests.running import beside, run

FIGURES = {
  'machine',
  'limits',
  *(
    f'{what}, {dtype}'
    for what in ('epoch', 'evaluation', 'training step', 'routing')
    for dtype in ('float32', 'bfloat16')
  ),
  'kernels, float32',
  'agreement with the CPU',
  'plan of the training',
  'training, official',
  'training, routing3_reconstruction',
}


def test_all_of_it_runs_and_goes_on(tmp_path):
  words = ('--tiny', '--minutes', 9, '--runs-dir', tmp_path)
  done = beside(run, program.main, *words)
  assert done.status == 0, done.err
  assert 'not all of it is done' not in done.out, done.err
  path = tmp_path / 'figures.json'
  figures = json.loads(path.read_text())
  assert figures.keys() == FIGURES
  for run_name in ('official', 'routing3_reconstruction'):
    record = figures[f'training, {run_name}']
    assert list(record['test_error_percent']) == ['1'], 'an error per epoch'
    assert '--config.optimizer.decay_steps=3' in record['command']
  agreement = figures['agreement with the CPU']['default']
  assert agreement['largest_relative_error_of_a_gradient'] < 1e-5
  assert figures['kernels, float32']['kernels']

  # Existing figures are kept, and missing ones are measured.
  del figures['evaluation, float32']
  path.write_text(json.dumps(figures))
  again = beside(run, program.main, *words)
  assert again.status == 0, again.err
  measured = [line.partition(': ')[0] for line in again.out.splitlines()]
  assert 'evaluation, float32' in measured
  assert not (FIGURES - {'evaluation, float32'}) & set(measured)


def test_a_measurement_that_fails_does_not_end_the_others(tmp_path, capsys):
  figures = Figures(tmp_path / 'figures.json', Clock(60))

  def fail():
    raise RuntimeError('no such kernel')

  figures.measure('broken', fail, seconds=1)
  figures.measure('whole', lambda: 1, seconds=1)
  figures.measure('long', lambda: 1, seconds=61)
  assert figures.names == {'whole'}
  printed = capsys.readouterr()
  assert 'broken: RuntimeError: no such kernel' in printed.err
  assert 'long: left out, with' in printed.out
  assert json.loads((tmp_path / 'figures.json').read_text()) == {'whole': 1}


def test_figures_that_are_none_are_refused(tmp_path):
  path = tmp_path / 'figures.json'
  path.write_text('[1, 2')
  with pytest.raises(UserError, match='is not a file of figures'):
    Figures(path, Clock(1))


def test_the_plan_fills_the_time_and_ends_with_the_papers_rate():
  # At one second per epoch, two runs of full length do not fit.
  plan = training.plan(1000, 1.0)
  assert 2 * plan['num_epochs'] < 1000 - 2 * 40
  assert 2 * plan['num_epochs'] > 0.8 * (1000 - 2 * 40)
  falls = plan['num_epochs'] / plan['decay_steps']
  assert falls == pytest.approx(640 / 2000, rel=0.01)
  assert training.plan(1e6, 0.1) == {'num_epochs': 640, 'decay_steps': 2000}
  assert training.plan(0, 1.0) == {'num_epochs': 1, 'decay_steps': 3}


def test_a_training_is_asked_to_leave_when_time_is_over():
  asked = []
  before = signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
  try:
    with training.leaving_in_time(Clock(0)):
      for _ in range(100):
        time.sleep(0.1)
        if asked:
          break
  finally:
    signal.signal(signal.SIGTERM, before)
  assert asked == [1]
