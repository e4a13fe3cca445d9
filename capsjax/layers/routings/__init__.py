"""Routings as Linen modules, which hold their parameters.

To add one, write its function in `capsjax/ops/routings` and its module here,
and add both to the tables of `tests/ops/routing_table.py` and
`tests/layers/test_routed.py`.
"""

from capsjax.layers.routings.agreement import AgreementRouting
from capsjax.layers.routings.em import EMRouting
from capsjax.layers.routings.inverted_attention import InvertedAttentionRouting
from capsjax.layers.routings.none import NoRouting
from capsjax.layers.routings.self_attention import SelfAttentionRouting
from capsjax.layers.routings.self_routing import SelfRouting
from capsjax.layers.routings.variational import VariationalRouting

__all__ = [
  'AgreementRouting',
  'EMRouting',
  'InvertedAttentionRouting',
  'NoRouting',
  'SelfAttentionRouting',
  'SelfRouting',
  'VariationalRouting',
]
