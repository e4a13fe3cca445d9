import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.training.optimizer import create_optimizer, create_schedule

FIELDS = {
  'schedule': 'exponential',
  'learning_rate': 1e-3,
  'decay_rate': 0.96,
  'decay_steps': 2000,
  'milestones': (),
  'min_learning_rate': 1e-6,
  'steps_per_epoch': 468,
}
STEPS = [0, 1, 467, 468, 469, 1999, 2000, 4680, 100_000, 500_000]


def rates(**fields):
  schedule = create_schedule(**(FIELDS | fields))
  return [float(schedule(step)) for step in STEPS]


def test_exponential_is_the_official_codes():
  want = [max(1e-3 * 0.96 ** (step / 2000), 1e-6) for step in STEPS]
  np.testing.assert_allclose(rates(), want, rtol=1e-5)


def test_per_epoch_falls_between_epochs_only():
  want = [max(1e-3 * 0.9 ** (step // 468), 1e-6) for step in STEPS]
  got = rates(schedule='per_epoch', decay_rate=0.9)
  np.testing.assert_allclose(got, want, rtol=1e-4)


def test_milestones_are_epochs():
  got = rates(schedule='milestones', milestones=(1, 10), decay_rate=0.1)
  want = [1e-3 * 0.1 ** ((step >= 468) + (step >= 4680)) for step in STEPS]
  np.testing.assert_allclose(got, want, rtol=1e-5)


def test_milestones_do_not_fall_below_the_least():
  got = rates(
    schedule='milestones',
    milestones=(1,),
    decay_rate=0.1,
    min_learning_rate=5e-4,
  )
  assert got[-1] == pytest.approx(5e-4)


def test_constant():
  assert rates(schedule='constant') == pytest.approx([1e-3] * len(STEPS))


def test_unknown_schedule_names_the_known_ones():
  with pytest.raises(UserError, match="'cosine'.*exponential.*milestones"):
    rates(schedule='cosine')


def test_adam_has_tensorflows_defaults():
  """One step of Adam as in its paper, in NumPy."""
  optimizer = create_optimizer(lambda step: 0.01)
  params, gradient = np.float32(2.0), np.float32(0.3)
  state = optimizer.init(params)
  update, _ = optimizer.update(gradient, state, params)
  mean, square = 0.1 * 0.3 / (1 - 0.9), 0.001 * 0.09 / (1 - 0.999)
  want = -0.01 * mean / (np.sqrt(square) + 1e-8)
  np.testing.assert_allclose(update, want, rtol=1e-5)
