"""The commands of `capsjax.main`, a module each."""
