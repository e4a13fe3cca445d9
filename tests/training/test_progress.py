"""Tests the progress display, on a terminal and elsewhere."""

import io
import re

import pytest

from capsjax.training import Progress


class Clock:
  """A clock that the test sets."""

  def __init__(self):
    self.now = 1000.0

  def __call__(self):
    return self.now


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock():
  return Clock()


def make(clock, stream, **changes):
  arguments = {
    'total_steps': 40,
    'steps_per_epoch': 20,
    'batch_size': 8,
    'seconds_between_lines': 1e9,
  }
  return Progress(stream=stream, clock=clock, **(arguments | changes))


METRICS = {'loss': 0.05126, 'accuracy': 0.9876}


def test_lines_without_a_terminal(clock):
  stream = io.StringIO()
  with make(clock, stream, seconds_between_lines=30.0) as progress:
    for step in range(1, 41):
      # The first step takes 100 s to compile, later steps take 2 s each.
      clock.now += 100 if step == 1 else 2
      progress.update(step, METRICS)
  tail = ', loss 0.0513, accuracy 98.8%'
  assert stream.getvalue().splitlines() == [
    'epoch 1/2, step 1/20' + tail,
    'epoch 1/2, step 16/20, 4 images/s, 00:48 left' + tail,
    'epoch 1/2, step 20/20, 4 images/s, 00:40 left' + tail,
    'epoch 2/2, step 15/20, 4 images/s, 00:10 left' + tail,
    'epoch 2/2, step 20/20, 4 images/s, 00:00 left' + tail,
  ]


def test_several_steps_at_once_and_a_resumed_run(clock):
  """Calls here may run past the end of an epoch."""
  stream = io.StringIO()
  with make(clock, stream, initial_step=15) as progress:
    for step in (18, 21, 24, 27, 39, 40):
      clock.now += 3
      progress.update(step, {})
  assert [line.split(',')[:2] for line in stream.getvalue().splitlines()] == [
    ['epoch 2/2', ' step 1/20'],
    ['epoch 2/2', ' step 20/20'],
  ]


def test_speed_is_of_late_and_without_pauses(clock):
  progress = make(clock, io.StringIO(), total_steps=10**6)
  assert progress.images_per_second is None
  for step in range(101):
    clock.now += 1
    progress.update(step, {})
  assert progress.images_per_second == pytest.approx(8)
  with progress.paused():
    clock.now += 500
  for step in range(101, 150):
    clock.now += 0.5
    progress.update(step, {})
  # In the last 30 s, 24.5 s had two steps per second.
  assert 8 * 49 / 24.5 > progress.images_per_second > 8 * 1.7
  for step in range(150, 200):
    clock.now += 0.5
    progress.update(step, {})
  assert progress.images_per_second == pytest.approx(16)


def test_time_left_counts_pauses(clock):
  """An epoch of 20 s is followed by an evaluation of 10 s."""
  stream = io.StringIO()
  progress = make(clock, stream, total_steps=120)
  progress.update(0, {})
  for step in range(1, 61):
    clock.now += 1
    progress.update(step, {})
    if step % 20 == 0:
      with progress.paused():
        clock.now += 10
  clock.now += 1
  progress.update(61, {})
  clock.now += 19
  progress.update(80, {})
  assert '8 images/s, 00:55 left' in stream.getvalue().splitlines()[-1]


def test_bar_on_a_terminal(clock):
  stream = Terminal()
  with make(clock, stream) as progress:
    progress.update(1, METRICS)
    clock.now += 1
    progress.update(30, METRICS)
    progress.write('epoch 1: error 0.25%')
  shown = stream.getvalue()
  assert 'compiling' in shown
  last = shown.rstrip().split('\r')[-1]
  assert re.fullmatch(
    r' 75%\|.{8}\s{2}\| epoch 2/2, step 10/20, 232 images/s, 00:00 left, '
    r'loss 0\.0513, accuracy 98\.8%',
    last,
  )
  assert '\repoch 1: error 0.25%\n' in re.sub(r'\r +\r', '\r', shown)


@pytest.mark.parametrize('stream', [io.StringIO(), Terminal()])
def test_disabled(clock, stream):
  with make(clock, stream, enabled=False) as progress:
    progress.update(20, METRICS)
    clock.now += 1
    progress.update(40, METRICS)
    progress.write('a line')
  assert stream.getvalue() == ''
  assert progress.images_per_second == pytest.approx(160)


def test_stderr_by_default(capsys):
  with Progress(total_steps=2, steps_per_epoch=1, batch_size=1) as progress:
    progress.update(1, {})
  captured = capsys.readouterr()
  assert captured.out == ''
  assert captured.err == 'epoch 1/2, step 1/1\n'
