"""Every routing of votes and activations; each gets the tests of all.

To add a routing, add an entry with its oracle.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from capsjax import ops
from tests.reference import routings as reference

IN_CAPS, OUT_CAPS, POSE = 6, 3, (2, 2)


class Entry(NamedTuple):
  """A routing.

  Attributes:
    function: the routing, with all options that are no arrays.
    oracle: the same in loops; takes the number of each child too.
    arrays: further arguments that are arrays, with the name of each axis: `i`,
      `j`, `e` (components of a pose), and `b` for the batch.
    agrees: whether votes that agree attract couplings.
    is_weighted: whether the children's activations weight their votes.
    normalizes: whether the couplings of a child sum to 1.
  """

  function: Callable[..., Any]
  oracle: Callable[..., Any]
  arrays: dict[str, str] = {}
  agrees: bool = True
  is_weighted: bool = False
  normalizes: bool = True


def entry(function, oracle, arrays=None, *, options=None, **facts) -> Entry:
  options = options or {}
  return Entry(
    functools.partial(function, **options),
    functools.partial(oracle, **options),
    arrays or {},
    **facts,
  )


BETAS = {'beta_u': 'j', 'beta_a': 'j'}
em = functools.partial(
  entry, ops.em_routing, reference.em, BETAS, is_weighted=True
)
variational = functools.partial(
  entry, ops.variational_routing, reference.variational, BETAS, is_weighted=True
)
agreement = functools.partial(entry, ops.agreement_routing, reference.agreement)
inverted = functools.partial(
  entry, ops.inverted_attention_routing, reference.inverted_attention
)
ENTRIES = {
  'agreement': agreement(),
  'agreement_bias_priors': agreement({'bias': 'je', 'log_priors': 'ij'}),
  'agreement_5': agreement(options={'num_iterations': 5}),
  'self_attention': entry(ops.self_attention_routing, reference.self_attention),
  'self_attention_priors': entry(
    ops.self_attention_routing,
    reference.self_attention,
    {'priors': 'ij'},
    normalizes=False,
  ),
  'em': em(),
  'em_warm': em(options={'inverse_temperature': 1.0}),
  'em_1': em(options={'num_iterations': 1}, agrees=False),
  'em_official': em(
    options={'mean_damping': 0.1, 'variance_floor': 1e-3, 'num_iterations': 4}
  ),
  'variational': variational(),
  'variational_full': variational(options={'full_covariance': True}),
  'variational_priors': variational(
    options={'concentration': 2.5, 'mean_precision': 0.3, 'num_iterations': 2}
  ),
  'self_routing': entry(
    ops.self_routing,
    reference.self_routing,
    {'routing_logits': 'bij'},
    agrees=False,
    is_weighted=True,
  ),
  'inverted_attention': inverted(),
  'inverted_attention_norm': inverted(
    {'scale': 'e', 'bias': 'e'}, options={'num_iterations': 3}
  ),
  'inverted_attention_concurrent': inverted(
    {'initial_poses': 'bje'}, options={'num_iterations': 1}, agrees=False
  ),
  'none': entry(
    ops.no_routing, reference.no_routing, agrees=False, normalizes=False
  ),
}


class Example(NamedTuple):
  """Arguments of a routing: a batch of examples.

  Attributes:
    votes: `[batch, in_caps, out_caps, *pose]`.
    activations: `[batch, in_caps]`.
    arrays: further arrays by name.
  """

  votes: np.ndarray
  activations: np.ndarray
  arrays: dict[str, np.ndarray]


def example(name, *batch, in_caps=IN_CAPS, scale=1.0) -> Example:
  """Draws arguments for an entry."""
  rng = np.random.default_rng(0)
  sizes = {'i': (in_caps,), 'j': (OUT_CAPS,), 'e': POSE, 'b': batch}
  arrays = {
    key: rng.normal(size=sum((sizes[axis] for axis in axes), ()))
    for key, axes in ENTRIES[name].arrays.items()
  }
  votes = scale * rng.normal(size=(*batch, in_caps, OUT_CAPS, *POSE))
  return Example(votes, rng.uniform(0.1, 1, (*batch, in_caps)), arrays)
