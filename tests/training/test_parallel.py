import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from capsjax.errors import UserError
from capsjax.examples import (
  DeviceData,
  Preparation,
  SingleExamples,
  create_make_batch,
  epoch_permutation,
)
from capsjax.models import EfficientCapsNet
from capsjax.training import (
  DEVICE_AXIS,
  Devices,
  Metrics,
  RunKeys,
  TrainState,
  create_eval_step,
  create_state,
  create_steps,
  create_train_step,
  evaluate,
)
from tests.training import tiny

BATCH = 8
SIZE = 40
STEPS_PER_EPOCH = SIZE // BATCH
KEYS = RunKeys.create(0)


def shifted(max_shift):
  return SingleExamples(tiny.CLASSES, Preparation(max_shift=max_shift))


def train_fn(devices, train_step, make_batch):
  steps = create_steps(
    train_step,
    make_batch,
    batch_size=BATCH,
    share=devices.share(BATCH),
    steps_per_epoch=STEPS_PER_EPOCH,
    num_classes=tiny.CLASSES,
    axis_name=DEVICE_AXIS,
  )
  return devices.train_fn(steps)


class Run:
  """A training function on some devices, and its arguments."""

  def __init__(self, num_devices, *, max_shift=2, model=None):
    self.devices = Devices(limit=num_devices)
    self.traces = 0
    # Not Adam, which is invariant to the gradient's scale: a sum over devices
    # in place of the mean would pass.
    self.optimizer = optax.sgd(0.1, momentum=0.9)
    self.model = model or tiny.model()
    train_step = create_train_step(
      self._apply,
      tiny.objective,
      self.optimizer,
      dropout_key=KEYS.dropout,
      num_labels=1,
    )
    make_batch = create_make_batch(
      shifted(max_shift), augmentation_key=KEYS.augmentation
    )
    self.train = train_fn(self.devices, train_step, make_batch)
    data = tiny.split(SIZE)
    self.data = self.devices.replicate(DeviceData(data.images, data.labels))

  def _apply(self, *args, **kwargs):
    self.traces += 1
    return self.model.apply(*args, **kwargs)

  def start(self):
    state = create_state(
      self.model, self.optimizer, KEYS.init, image_shape=tiny.IMAGE_SHAPE
    )
    return self.devices.replicate(state)

  def steps(self, state, counts):
    metrics = Metrics.empty(tiny.CLASSES)
    for count in counts:
      epoch = int(state.step) // STEPS_PER_EPOCH
      order = epoch_permutation(KEYS.order, epoch, SIZE)
      state, more = self.train(state, self.data, order, count)
      metrics = metrics.merge(jax.device_get(more))
    return jax.device_get(state), metrics.compute()


def assert_close(a, b):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5), a, b
  )


def test_two_devices_take_the_same_steps_as_one():
  one, two = Run(1), Run(2)
  state_1, results_1 = one.steps(one.start(), [1] * 7)
  state_2, results_2 = two.steps(two.start(), [1] * 7)
  assert state_1.step == state_2.step == 7
  assert_close(state_1.params, state_2.params)
  assert results_1.count == results_2.count == 7 * BATCH
  assert results_1.confusion == results_2.confusion
  assert results_1.loss == pytest.approx(results_2.loss, rel=1e-4)


def test_batch_statistics_are_those_of_the_whole_batch():
  model = EfficientCapsNet(
    num_classes=tiny.CLASSES,
    conv_features=(4, 8),
    conv_kernel_sizes=(3, 3),
    conv_strides=(1, 2),
    num_primary=4,
    primary_dim=2,
    decoder_sizes=(8,),
  )
  one, two = Run(1, model=model), Run(2, model=model)
  start = jax.device_get(one.start())
  (state_1, _), (state_2, _) = (r.steps(r.start(), [1] * 3) for r in (one, two))
  assert_close(state_1.params, state_2.params)
  assert_close(state_1.statistics, state_2.statistics)
  moved = jax.tree.map(
    lambda a, b: np.abs(a - b).max(), start.statistics, state_2.statistics
  )
  assert min(jax.tree.leaves(moved)) > 1e-4, 'statistics did not change'


def test_many_steps_of_a_call_are_the_steps_one_by_one():
  single, many = Run(1), Run(1)
  state_1, results_1 = single.steps(single.start(), [1] * 8)
  state_2, results_2 = many.steps(many.start(), [3, 2, 3])
  assert state_1.step == state_2.step == 8
  assert_close(state_1.params, state_2.params)
  assert results_1.confusion == results_2.confusion
  assert many.traces == 2, 'once for each number of steps'


def test_steps_are_traced_once():
  run = Run(2)
  run.steps(run.start(), [1] * (3 * STEPS_PER_EPOCH))
  assert run.traces == 1


def test_a_run_learns():
  run = Run(2)
  state, first = run.steps(run.start(), [1] * STEPS_PER_EPOCH)
  state = run.devices.replicate(state)
  _, last = run.steps(state, [1] * (20 * STEPS_PER_EPOCH))
  assert last.loss < 0.5 * first.loss


@pytest.mark.parametrize('num_devices', [1, 2])
def test_an_epoch_visits_every_example_once(num_devices):
  devices = Devices(limit=num_devices)
  seen = []

  def make_batch(data, indices, step, positions):
    jax.debug.callback(
      lambda i, s, p: seen.append((int(s), i.tolist(), p.tolist())),
      indices,
      step,
      positions,
    )
    return indices

  def train_step(state, batch, *, axis_name):
    step = state.step + jax.lax.psum(0 * batch[0], axis_name) + 1
    return TrainState(step, (), ()), Metrics.empty(tiny.CLASSES)

  train = train_fn(devices, train_step, make_batch)
  state = devices.replicate(TrainState(jnp.int32(STEPS_PER_EPOCH), (), ()))
  order = epoch_permutation(KEYS.order, 1, SIZE)
  for _ in range(STEPS_PER_EPOCH):
    state, _ = train(state, DeviceData(np.zeros(()), np.zeros(())), order, 1)
  jax.effects_barrier()
  visited = {}
  for step, indices, positions in seen:
    for index, position in zip(indices, positions, strict=True):
      visited[step - STEPS_PER_EPOCH, position] = index
  expected = np.asarray(order).reshape(STEPS_PER_EPOCH, BATCH)
  assert visited == dict(np.ndenumerate(expected))
  assert sorted(visited.values()) == list(range(SIZE))


def test_shift_of_an_example_does_not_depend_on_its_neighbours():
  make_batch = create_make_batch(shifted(2), augmentation_key=KEYS.augmentation)
  data = tiny.split(SIZE)
  data = DeviceData(jnp.asarray(data.images), jnp.asarray(data.labels))
  indices = jnp.arange(8, dtype=jnp.int32)
  whole = make_batch(data, indices, jnp.int32(5), indices)
  half = make_batch(data, indices[4:], jnp.int32(5), indices[4:])
  later = make_batch(data, indices, jnp.int32(6), indices)
  np.testing.assert_array_equal(whole.images[4:], half.images)
  assert (whole.images != later.images).any()
  np.testing.assert_array_equal(whole.targets.argmax(-1), data.labels[:8])


@pytest.mark.parametrize('num_devices', [1, 2])
@pytest.mark.parametrize(
  ('batch_size', 'batches_per_call'), [(2, 1), (4, 2), (4, 9), (10, 1), (16, 1)]
)
def test_evaluation_counts_every_image_once(
  num_devices, batch_size, batches_per_call
):
  """Compares with one plain call on the whole split, without padding."""
  model, split = tiny.model(), tiny.split(10)
  variables = create_state(
    model, optax.adam(1e-3), KEYS.init, image_shape=tiny.IMAGE_SHAPE
  ).variables
  devices = Devices(limit=num_devices)
  eval_step = create_eval_step(model.apply, tiny.objective, shifted(2))
  results = evaluate(
    devices.eval_fn(eval_step),
    devices.replicate(variables),
    DeviceData(split.images, split.labels),
    size=10,
    batch_size=batch_size,
    batches_per_call=batches_per_call,
    num_classes=tiny.CLASSES,
  ).compute()
  output = model.apply(variables, jnp.asarray(split.images) / 255.0)
  predicted = np.asarray(output.scores).argmax(-1)
  confusion = np.zeros((3, 3), int)
  np.add.at(confusion, (split.labels, predicted), 1)
  assert results.count == 10
  assert results.confusion == confusion.tolist()
  assert results.accuracy == np.mean(predicted == split.labels)
  error = np.asarray(output.reconstructions) - split.images / np.float32(255)
  assert results.reconstruction_loss == pytest.approx(
    (error**2).sum((1, 2, 3)).mean(), rel=1e-5
  )


def test_a_batch_that_cannot_be_shared_is_refused():
  with pytest.raises(
    UserError, match='batch_size=7 .* 2 devices.*batch_size=8'
  ):
    Devices(limit=2).share(7)


def test_more_devices_than_there_are_is_refused():
  with pytest.raises(UserError, match='num_devices=5000'):
    Devices(limit=5000)
