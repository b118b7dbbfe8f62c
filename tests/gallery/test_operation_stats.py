"""What became of the carriers: counted by hand, the interval by SciPy."""

from collections.abc import Callable

import pytest
from scipy.stats import sem, t

from kdzero_gp.gallery.chosen import latest_by_key
from kdzero_gp.gallery.operation_stats import mean_interval, operation_stats
from kdzero_gp.store import RunStore
from tests.gallery.sample_run import fill_sample


def test_counts_and_means(store: RunStore, record: Callable[..., None]) -> None:
    fill_sample(store, record)
    stats = {entry.name: entry for entry in operation_stats(latest_by_key(list(store.evaluations())), "evolve")}
    l1 = stats["l1"]  # in 0 (3.0), 2 (1.5), 3 (1.0) and the failed 4; 0 and 2 became parents
    assert (l1.proposed, l1.trained, l1.parents) == (4, 3, 2)
    assert l1.mean == pytest.approx((3.0 + 1.5 + 1.0) / 3)
    assert l1.others == pytest.approx(2.0)
    assert l1.shares == (0.5, 1.0, 1.0)
    assert "add" not in stats
    assert stats["catt"].low is None  # one carrier has no interval


def test_the_best_mean_comes_first(store: RunStore, record: Callable[..., None]) -> None:
    fill_sample(store, record)
    means = [entry.mean for entry in operation_stats(latest_by_key(list(store.evaluations())), "evolve")]
    known = [mean for mean in means if mean is not None]
    assert known == sorted(known)


def test_the_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    low, high = t.interval(0.95, len(values) - 1, loc=sum(values) / 4, scale=sem(values))
    assert mean_interval(values) == pytest.approx((3.75, low, high))
    assert mean_interval([2.0]) == (2.0, None, None)
    assert mean_interval([]) == (None, None, None)
