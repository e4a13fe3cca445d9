import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.examples import Batch, Objects
from capsjax.models import ModelOutput
from capsjax.training import (
  Losses,
  Metrics,
  capsule_losses,
  cross_entropy_losses,
  sigmoid_losses,
)
from tests.reference import losses as reference


def metrics_of(scores, targets, weights, losses, num_labels=1):
  scores = jnp.asarray(scores, jnp.float32)
  batch = Batch(
    jnp.zeros((len(scores), 1, 1, 1)),
    jnp.asarray(targets, jnp.float32),
    jnp.asarray(weights, jnp.float32),
  )
  values = jnp.asarray(losses, jnp.float32)
  return Metrics.of(
    ModelOutput(scores),
    batch,
    Losses(values, 2 * values, 3 * values),
    num_labels=num_labels,
  )


def test_confusion_and_accuracy():
  metrics = metrics_of(
    [[0.9, 0.1, 0.2], [0.1, 0.3, 0.8], [0.2, 0.7, 0.1], [0.9, 0.8, 0.7]],
    [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
    [1, 1, 1, 0],
    [1.0, 2.0, 6.0, np.nan],
  )
  results = metrics.compute()
  assert results.count == 3
  assert results.confusion == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
  # The last class has no examples but padding.
  assert results.class_recall == [1, 0.5, None]
  assert results.balanced_accuracy == 0.75
  assert results.accuracy == pytest.approx(2 / 3)
  assert results.error == pytest.approx(100 / 3)
  assert results.loss == 3
  assert results.classification_loss == 6
  assert results.reconstruction_loss == 9


def test_merged_parts_are_the_whole():
  rng = np.random.default_rng(0)
  scores, labels = rng.random((11, 4)), rng.integers(0, 4, 11)
  targets, losses = np.eye(4)[labels], rng.random(11)
  whole = metrics_of(scores, targets, np.ones(11), losses).compute()
  merged = Metrics.empty(4)
  for part in (slice(0, 4), slice(4, 8), slice(8, 11)):
    ones = np.ones(len(losses[part]))
    merged = merged.merge(
      metrics_of(scores[part], targets[part], ones, losses[part])
    )
  parts = merged.compute()
  assert parts.confusion == whole.confusion
  assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
  assert parts.accuracy == np.mean(scores.argmax(-1) == labels)


def test_two_labels_count_only_if_both_are_right():
  metrics = metrics_of(
    [[0.9, 0.8, 0.1], [0.9, 0.1, 0.8]],
    [[1, 1, 0], [1, 1, 0]],
    [1, 1],
    [0.0, 0.0],
    num_labels=2,
  )
  assert metrics.compute().accuracy == 0.5


def confusion_by_loops(scores, targets, weights, num_labels):
  """Shares each missed class equally among the wrong predictions."""
  confusion = np.zeros((targets.shape[1],) * 2)
  for row, target, weight in zip(scores, targets, weights, strict=True):
    true = set(np.flatnonzero(target).tolist())
    predicted = set(np.argsort(-row)[:num_labels].tolist())
    for label in true & predicted:
      confusion[label, label] += weight
    for label in true - predicted:
      for other in predicted - true:
        confusion[label, other] += weight / len(predicted - true)
  return confusion


@pytest.mark.parametrize('num_labels', [1, 2, 3])
def test_confusion_of_any_number_of_labels(num_labels):
  rng = np.random.default_rng(2)
  scores = rng.random((60, 6))
  labels = np.argsort(rng.random((60, 6)))[:, :num_labels]
  targets = np.eye(6)[labels].sum(1)
  scores += 0.4 * targets
  weights = np.repeat([1, 0], [50, 10])
  results = metrics_of(
    scores, targets, weights, np.zeros(60), num_labels
  ).compute()
  expected = confusion_by_loops(scores, targets, weights, num_labels)
  np.testing.assert_allclose(results.confusion, expected, atol=1e-5)
  of_class = targets[:50].sum(0)
  np.testing.assert_allclose(np.sum(results.confusion, 1), of_class, atol=1e-5)
  found = [
    sum(k in np.argsort(-scores[n])[:num_labels] for n in range(50) if t[n])
    for k, t in enumerate(targets.T)
  ]
  np.testing.assert_allclose(results.class_recall, found / of_class, atol=1e-6)
  assert min(results.class_recall) > 0 and max(results.class_recall) < 1
  assert results.balanced_accuracy == pytest.approx(np.mean(found / of_class))


def test_a_frequent_class_does_not_hide_a_rare_one():
  sklearn = pytest.importorskip('sklearn.metrics')
  rng = np.random.default_rng(5)
  labels = rng.choice(3, 200, p=[0.9, 0.08, 0.02])
  scores = rng.random((200, 3)) + [0.8, 0, 0]
  results = metrics_of(
    scores, np.eye(3)[labels], np.ones(200), np.zeros(200)
  ).compute()
  predicted = np.float32(scores).argmax(1)
  expected = sklearn.balanced_accuracy_score(labels, predicted)
  assert results.balanced_accuracy == pytest.approx(expected)
  recall = sklearn.recall_score(labels, predicted, average=None)
  np.testing.assert_allclose(results.class_recall, recall)
  assert results.balanced_accuracy < results.accuracy - 0.2


def test_a_pair_that_is_found_is_no_confusion():
  scores = [[0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.8, 0.2], [0.1, 0.2, 0.9, 0.8]]
  metrics = [
    metrics_of([s], [[1, 1, 0, 0]], [1], [0.0], num_labels=2) for s in scores
  ]
  both, one, none = (m.compute().confusion for m in metrics)
  empty = [0, 0, 0, 0]
  assert both == [[1, 0, 0, 0], [0, 1, 0, 0], empty, empty]
  assert one == [[1, 0, 0, 0], [0, 0, 1, 0], empty, empty]
  assert none == [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], empty, empty]
  # Counts are integers if all of them are whole numbers.
  assert isinstance(one[0][0], int)


def test_no_examples():
  with pytest.raises(ValueError, match='no examples'):
    Metrics.empty(3).compute()


def test_capsule_losses_weigh_margin_and_reconstruction():
  rng = np.random.default_rng(1)
  scores, targets = rng.random((5, 3)), np.eye(3)[[0, 1, 2, 0, 1]]
  images, remade = rng.random((2, 5, 4, 4, 1))
  batch = Batch(
    *(jnp.asarray(x, jnp.float32) for x in (images, targets, np.ones(5)))
  )
  output = ModelOutput(
    jnp.asarray(scores, jnp.float32),
    reconstructions=jnp.asarray(remade, jnp.float32),
  )
  losses = capsule_losses(output, batch)
  margin = reference.margin_loss(scores, targets)
  squares = ((remade - images) ** 2).sum((1, 2, 3))
  np.testing.assert_allclose(losses.classification, margin, rtol=1e-5)
  np.testing.assert_allclose(losses.reconstruction, squares, rtol=1e-5)
  np.testing.assert_allclose(losses.total, margin + 5e-4 * squares, rtol=1e-5)
  official = capsule_losses(output, batch, margin_weight=0.05)
  np.testing.assert_allclose(
    official.total, margin / 20 + 5e-4 * squares, rtol=1e-5
  )
  bare = capsule_losses(ModelOutput(output.scores), batch)
  np.testing.assert_allclose(bare.total, margin, rtol=1e-5)
  assert not bare.reconstruction.any()


def test_cross_entropy():
  logits = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
  targets = np.eye(3)[[0, 1]]
  batch = Batch(
    jnp.zeros((2, 1, 1, 1)), jnp.asarray(targets, jnp.float32), jnp.ones(2)
  )
  losses = cross_entropy_losses(
    ModelOutput(jnp.asarray(logits, jnp.float32)), batch
  )
  want = -np.log(np.exp(logits)[[0, 1], [0, 1]] / np.exp(logits).sum(-1))
  np.testing.assert_allclose(losses.total, want, rtol=1e-5)


# One-hot classes of two objects in each of three images.
PAIRS = np.eye(4)[[[0, 1], [1, 3], [0, 2]]]


def test_capsule_losses_of_objects_add_up_each_against_itself():
  rng = np.random.default_rng(3)
  scores, targets = rng.random((3, 4)), PAIRS.sum(1)
  alone, remade = rng.random((2, 3, 2, 4, 5, 1))
  images, alone, remade = (
    jnp.asarray(x, jnp.float32)
    for x in (np.minimum(alone.sum(1), 1), alone, remade)
  )
  objects = Objects(alone, jnp.asarray(PAIRS, jnp.float32))
  batch = Batch(images, jnp.asarray(targets, jnp.float32), jnp.ones(3), objects)
  output = ModelOutput(jnp.asarray(scores, jnp.float32), reconstructions=remade)
  losses = capsule_losses(output, batch)
  margin = reference.margin_loss(scores, targets)
  first, second = (
    reference.reconstruction_loss(
      np.asarray(remade)[:, k], np.asarray(alone)[:, k]
    )
    for k in range(2)
  )
  squares = first + second
  np.testing.assert_allclose(losses.classification, margin, rtol=1e-5)
  np.testing.assert_allclose(losses.reconstruction, squares, rtol=1e-5)
  np.testing.assert_allclose(losses.total, margin + 5e-4 * squares, rtol=1e-5)


def test_sigmoid_losses_of_two_objects():
  logits = np.random.default_rng(4).normal(0, 3, (3, 4))
  targets = PAIRS.sum(1)
  batch = Batch(
    jnp.zeros((3, 1, 1, 1)), jnp.asarray(targets, jnp.float32), jnp.ones(3)
  )
  losses = sigmoid_losses(ModelOutput(jnp.asarray(logits, jnp.float32)), batch)
  expected = np.zeros(3)
  for n, k in np.ndindex(logits.shape):
    chance = 1 / (1 + np.exp(-logits[n, k]))
    expected[n] -= np.log(chance if targets[n, k] else 1 - chance)
  np.testing.assert_allclose(losses.total, expected, rtol=1e-5)
  np.testing.assert_allclose(losses.classification, expected, rtol=1e-5)
  assert not losses.reconstruction.any()


def outputs_for_weights():
  rng = np.random.default_rng(3)
  labels = rng.choice(3, 12, p=[0.6, 0.3, 0.1])
  labels[:3] = 0, 1, 2
  scores = jnp.asarray(rng.random((12, 3)), jnp.float32)
  images = jnp.asarray(rng.random((12, 2, 2, 1)), jnp.float32)
  targets = jnp.asarray(np.eye(3)[labels], jnp.float32)
  output = ModelOutput(scores, reconstructions=images / 2)
  return output, Batch(images, targets, jnp.ones(12)), labels


@pytest.mark.parametrize(
  'losses_of', [capsule_losses, cross_entropy_losses, sigmoid_losses]
)
def test_class_weights_multiply_the_classification_loss(losses_of):
  output, batch, labels = outputs_for_weights()
  plain = losses_of(output, batch)
  weighted = losses_of(output, batch, class_weights=(0.5, 2.0, 7.0))
  for name in ('classification', 'reconstruction'):
    np.testing.assert_array_equal(getattr(weighted, name), getattr(plain, name))
  for n, label in enumerate(labels):
    other = plain.total[n] - plain.classification[n]
    expected = other + (0.5, 2.0, 7.0)[label] * plain.classification[n]
    assert weighted.total[n] == pytest.approx(float(expected), rel=1e-5)
  same = losses_of(output, batch, class_weights=(1.0, 1.0, 1.0))
  np.testing.assert_allclose(same.total, plain.total, rtol=1e-6)


@pytest.mark.parametrize('losses_of', [capsule_losses, sigmoid_losses])
def test_an_image_of_two_classes_has_their_mean_weight(losses_of):
  output = ModelOutput(jnp.array([[0.3, 0.6, 0.8]]))
  batch = Batch(
    jnp.zeros((1, 2, 2, 1)), jnp.array([[1.0, 0.0, 1.0]]), jnp.ones(1)
  )
  plain = losses_of(output, batch).total
  weighted = losses_of(output, batch, class_weights=(1.0, 50.0, 5.0)).total
  np.testing.assert_allclose(weighted, 3 * plain, rtol=1e-6)
