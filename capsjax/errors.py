"""The one exception that is the user's to mend."""


class UserError(Exception):
  """A mistake of the user's, or a thing that is missing.

  Its text is one line that says what is wrong and what to do about it.
  `capsjax.main` prints that line and exits with status 2; code that imports
  capsjax may catch it.
  """
