"""Taps: the places in a network where its knowledge is read, without any change to the network.

`find_taps` watches one forward pass, `match_taps` keeps what teacher and student share, `TapReader` reads.
"""

from kdzero_gp.tasks.tap import Tap, Taps
from kdzero_gp.tasks.tap_finder import find_taps
from kdzero_gp.tasks.tap_match import TapPair, match_taps
from kdzero_gp.tasks.tap_reader import TapReader

__all__ = ["Tap", "TapPair", "TapReader", "Taps", "find_taps", "match_taps"]
