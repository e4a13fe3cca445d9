"""Routings as Linen modules, which hold their parameters and statistics."""

from capsjax.layers.routings.self_attention import SelfAttentionRouting

__all__ = ['SelfAttentionRouting']
