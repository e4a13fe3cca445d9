"""A trained run as figures and report sections."""
