"""The version, and the name under which the library shows itself."""

from typing import Final

VERSION: Final = "0.1.0"
LIBRARY: Final = "instrument-analytics"
