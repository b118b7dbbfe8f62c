"""The run store: one run is one folder with one SQLite file."""

from kdzero_gp.store.json_text import JSON
from kdzero_gp.store.record import Evaluation, Proposal, Status
from kdzero_gp.store.store import RunStore

__all__ = ["JSON", "Evaluation", "Proposal", "RunStore", "Status"]
