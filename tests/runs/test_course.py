"""The training history of a run, read from hand-written metrics."""

import json

import pytest

from capsjax.runs.course import read_course, training_seconds
from capsjax.runs.folder import RunFolder

# Each step takes 50 images; only training lines have a speed.
COURSE = (
  {'step': 10, 'train/images_per_second': 100.0},  # 500 images: 5 s
  {'step': 30, 'train/images_per_second': 250.0},  # 1,000 images: 4 s
  {'step': 30, 'test/accuracy': 0.5, 'test/seconds': 7.0},
  {'step': 35, 'train/images_per_second': None},
  {'step': 40, 'train/images_per_second': 125.0},  # 500 images: 4 s
  {'step': 60, 'train/images_per_second': 0.0},  # not known
  {'step': 65, 'train/images_per_second': 500.0},  # 250 images: 0.5 s
)


def test_training_time_adds_up_the_steps_by_their_speeds(tmp_path):
  lines = ''.join(json.dumps(line) + '\n' for line in COURSE)
  damaged = '\x00\x00\n{"step": 8\n[]\n'
  being_written = '{"step": 90, "train/images_per_second": 1.0}'
  (tmp_path / 'metrics.jsonl').write_text(damaged + lines + being_written)
  course = read_course(RunFolder(tmp_path))
  assert training_seconds(course, 50) == pytest.approx(13.5)
  assert training_seconds(course, 100) == pytest.approx(27)


def test_nothing_was_trained_without_a_speed():
  assert training_seconds([{'step': 5, 'test/seconds': 7.0}], 50) == 0
