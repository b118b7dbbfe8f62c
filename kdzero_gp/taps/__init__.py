"""Taps: the places in a network where its knowledge is read, without any change to the network.

`find_taps` watches one forward pass, `match_taps` keeps what teacher and student share, `TapReader` reads.
"""

from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.match import TapPair, match_taps
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Tap, Taps

__all__ = ["Tap", "TapPair", "TapReader", "Taps", "find_taps", "match_taps"]
