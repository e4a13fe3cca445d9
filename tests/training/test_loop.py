"""Tests the order of calls in `fit`, with its parts replaced by a recorder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.examples import DeviceData
from capsjax.runs.checkpoint import Checkpointer
from capsjax.training import Metrics, Plan, Reporter, TrainState, fit

STEPS_PER_EPOCH = 5


class Notes(Checkpointer):
  """Records the calls of `fit`, in place of everything it calls."""

  def __init__(self, *, scores=(), bad_loss_at=None, bad_params_at=None):
    self.calls, self.evaluated, self.latest, self.best = [], [], [], []
    self.orders, self.written = [], []
    self.scores = iter(scores)
    self.bad_loss_at, self.bad_params_at = bad_loss_at, bad_params_at

  def train(self, state, data, permutation, count):
    self.calls.append(count)
    self.orders.append(tuple(np.asarray(permutation).tolist()))
    step = int(state.step) + count
    params = jnp.float32(np.nan if self._is(self.bad_params_at, step) else step)
    loss = np.nan if self._is(self.bad_loss_at, step) else 1.0
    metrics = Metrics.empty(2).replace(
      count=jnp.float32(count),
      loss=jnp.float32(loss * count),
      confusion=jnp.float32([[count, 0], [0, 0]]),
    )
    return TrainState(jnp.int32(step), params, ()), metrics

  @staticmethod
  def _is(place, step):
    return place is not None and step >= place

  def evaluate(self, step, params):
    self.evaluated.append(step)
    return next(self.scores, None)

  def save_latest(self, step, state):
    assert int(state.step) == step
    self.latest.append(step)

  def save_best(self, step, state, *, metric):
    self.best.append((step, metric))

  def wait(self):
    pass


def run(
  notes,
  *,
  start=0,
  best=None,
  is_stopped=lambda: False,
  agree=lambda flags: flags,
  **plan,
):
  plan = Plan(
    **{
      'num_steps': 3 * STEPS_PER_EPOCH,
      'steps_per_epoch': STEPS_PER_EPOCH,
      'steps_per_call': 1,
      'eval_every_steps': STEPS_PER_EPOCH,
      'checkpoint_every_seconds': 1e9,
    }
    | plan
  )
  reporter = Reporter(
    initial_step=start,
    log_every_steps=4,
    schedule=lambda step: 0.1 * step,
    show=lambda step, metrics: None,
    write=lambda step, results, rate: notes.written.append(
      (step, results.count, round(rate, 6))
    ),
  )
  return fit(
    TrainState(jnp.int32(start), jnp.float32(0), ()),
    plan=plan,
    train_fn=notes.train,
    data=DeviceData(np.zeros((11, 1, 1, 1), np.uint8), np.zeros(11, np.int32)),
    order_key=jax.random.key(0),
    evaluate=notes.evaluate,
    best=best,
    checkpointer=notes,
    reporter=reporter,
    is_stopped=is_stopped,
    agree=agree,
  )


def test_no_call_waits_for_what_the_processes_agree_on():
  """Each answer but the first is read one call after it was asked for."""
  notes, events = Notes(), []

  def agree(flags):
    events.append('ask')

    def answer():
      events.append('answer')
      return flags()

    return answer

  train = notes.train
  notes.train = lambda *args: events.append('call') or train(*args)
  run(notes, agree=agree)
  assert events == ['ask', *(['answer', 'ask', 'call'] * 15)]


def test_checkpoints_of_epochs():
  notes = Notes()
  run(notes, checkpoint_every_steps=2 * STEPS_PER_EPOCH)
  assert notes.latest == [2 * STEPS_PER_EPOCH, 3 * STEPS_PER_EPOCH]


def test_every_epoch_is_evaluated_and_the_end_saved():
  notes = Notes()
  assert run(notes).step == 15
  assert notes.calls == [1] * 15
  assert notes.evaluated == [5, 10, 15]
  assert notes.latest == [15]
  assert notes.written == [
    (4, 4, 0.3),
    (8, 4, 0.7),
    (12, 4, 1.1),
    (15, 3, 1.4),
  ]


def test_an_epoch_has_its_own_order_and_keeps_it():
  notes = Notes()
  run(notes)
  epochs = [set(notes.orders[i : i + 5]) for i in (0, 5, 10)]
  assert [len(orders) for orders in epochs] == [1, 1, 1]
  assert len(set.union(*epochs)) == 3
  resumed = Notes()
  run(resumed, start=7)
  assert resumed.orders == notes.orders[7:]


def test_calls_end_with_the_epoch():
  notes = Notes()
  run(notes, steps_per_call=3, start=1)
  assert notes.calls == [3, 1, 3, 2, 3, 2]
  assert notes.evaluated == [5, 10, 15]


def test_last_epoch_is_evaluated_whatever_the_interval():
  notes = Notes()
  run(notes, eval_every_steps=2 * STEPS_PER_EPOCH)
  assert notes.evaluated == [10, 15]


def test_calls_end_with_an_evaluation_in_the_middle_of_an_epoch():
  notes = Notes()
  run(notes, eval_every_steps=2, steps_per_call=100, num_steps=7)
  assert notes.calls == [2, 2, 1, 1, 1]
  assert notes.evaluated == [2, 4, 6, 7]


def test_a_run_ends_when_it_is_good_enough():
  notes = Notes(scores=[0.5, 0.9, 0.99])
  assert run(notes, stop_at=0.9).step == 10
  assert notes.latest == [10]
  assert notes.best == [(5, 0.5), (10, 0.9)]
  again = Notes()
  assert run(again, start=10, best=0.9, stop_at=0.9).step == 10
  assert again.calls == []
  assert run(Notes(), stop_at=0.9).step == 15, 'there is nothing to judge by'


def test_checkpoints_by_time():
  notes = Notes()
  run(notes, checkpoint_every_seconds=0.0, num_steps=4)
  assert notes.latest == [1, 2, 3, 4]


def test_a_stop_saves_what_there_is():
  notes = Notes()
  answers = iter([False, False, True])
  state = run(notes, is_stopped=lambda: next(answers))
  assert state.step == 2
  assert notes.latest == [2]
  assert notes.evaluated == []


def test_best_is_kept_only_when_it_is_better():
  notes = Notes(scores=[0.5, 0.4, 0.6])
  run(notes)
  assert notes.best == [(5, 0.5), (15, 0.6)]
  notes = Notes(scores=[0.5, 0.7, 0.6])
  run(notes, best=0.6)
  assert notes.best == [(10, 0.7)]


def test_nothing_left_to_do_does_nothing():
  notes = Notes()
  run(notes, start=15)
  assert (notes.calls, notes.latest, notes.evaluated) == ([], [], [])


def test_a_loss_not_finite_stops_before_it_is_saved():
  notes = Notes(bad_loss_at=7)
  with pytest.raises(UserError, match='loss is not finite.*learning_rate'):
    run(notes, checkpoint_every_seconds=0.0)
  assert notes.latest == [1, 2, 3, 4, 5, 6]


def test_a_parameter_not_finite_is_not_saved():
  notes = Notes(bad_params_at=7, scores=[0.1, 0.2, 0.3])
  with pytest.raises(UserError, match='parameter is not finite after step 10'):
    run(notes)
  assert notes.best == [(5, 0.1)]
  assert notes.latest == []
