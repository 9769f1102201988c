"""Why a plugin gives no answer. Raise them rather than anything else: the binding's failure policy then decides, and never allows."""


class InvalidSettings(Exception):
    """The plugin can't work with these settings."""


class InvalidCase(Exception):
    """The plugin can't judge this case."""
