"""Four published learning methods over one shared core."""

__version__ = "0.1.0"
