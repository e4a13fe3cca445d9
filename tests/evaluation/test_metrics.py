import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.data.batch import Batch
from capsjax.evaluation import (
  Losses,
  Metrics,
  capsule_losses,
  cross_entropy_losses,
)
from capsjax.models import ModelOutput
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
  assert results.class_accuracy == [1, 0.5, 0]
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
