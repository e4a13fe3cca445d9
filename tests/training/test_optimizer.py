import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.training import create_optimizer, create_schedule

FIELDS = {
  'schedule': 'exponential',
  'learning_rate': 1e-3,
  'decay_rate': 0.96,
  'decay_steps': 2000,
  'milestones': (),
  'min_learning_rate': 1e-6,
  'warmup_steps': 0,
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


@pytest.mark.parametrize('schedule', ['exponential', 'constant'])
def test_a_warm_up_is_a_ramp_of_the_rate(schedule):
  cold, warm = (
    create_schedule(**FIELDS | {'schedule': schedule, 'warmup_steps': steps})
    for steps in (0, 5)
  )
  ramp = [0.2, 0.4, 0.6, 0.8, 1, 1, 1]
  got = [float(warm(step)) / float(cold(step)) for step in range(7)]
  np.testing.assert_allclose(got, ramp, rtol=1e-6)
  traced = jax.jit(warm)(jnp.int32(2))
  assert float(traced) == pytest.approx(float(warm(2)))


def test_unknown_schedule_names_the_known_ones():
  with pytest.raises(UserError, match="'cosine'.*exponential.*milestones"):
    rates(schedule='cosine')


@pytest.mark.parametrize('decay_rate', [1.0, 1.5])
@pytest.mark.parametrize('schedule', ['exponential', 'per_epoch', 'milestones'])
def test_a_rate_that_does_not_fall_is_not_the_least(schedule, decay_rate):
  got = rates(schedule=schedule, decay_rate=decay_rate, decay_steps=200_000)
  assert got[:3] == pytest.approx([1e-3] * 3, rel=0.01)
  assert min(got) >= 0.99e-3


@pytest.mark.parametrize('use_epsilon_hat', [False, True])
@pytest.mark.parametrize('size', [0.3, 1e-7])
def test_adam_is_that_of_its_paper_or_of_tensorflow(size, use_epsilon_hat):
  """Compares with steps in NumPy; the two differ for small gradients."""
  optimizer = create_optimizer(
    lambda step: 0.01, use_epsilon_hat=use_epsilon_hat
  )
  params = {'w': jnp.float32(2.0)}
  state = optimizer.init(params)
  mean = square = 0.0
  for t in range(1, 6):
    gradient = np.float32(size * (-0.8) ** t)
    update, state = optimizer.update({'w': gradient}, state, params)
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * np.float64(gradient) ** 2
    rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    with_hat = -rate * mean / (np.sqrt(square) + 1e-8)
    of_paper = -rate * mean / (np.sqrt(square) + 1e-8 * np.sqrt(1 - 0.999**t))
    want = with_hat if use_epsilon_hat else of_paper
    np.testing.assert_allclose(update['w'], want, rtol=1e-4)
    if size < 1e-6:
      assert abs(with_hat / of_paper) < 0.8


def test_both_kinds_of_adam_have_the_same_state():
  """A run's checkpoints must not depend on `use_epsilon_hat`."""
  params = {'w': jnp.ones(3)}
  states = [
    create_optimizer(lambda step: 0.01, use_epsilon_hat=hat).init(params)
    for hat in (False, True)
  ]
  assert jax.tree.structure(states[0]) == jax.tree.structure(states[1])
