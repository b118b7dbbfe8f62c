"""Seeds are part of what a run is: the same on every machine and in every version."""

import hashlib

from kdzero_gp.randomness import derive_seed


def test_seeds_have_the_values_they_always_had() -> None:
    assert derive_seed(0, "student", 0) == 159_376_903_325_285_427
    assert derive_seed(7, "weight(1, l2(pool))", 0) == 4_338_918_112_094_872_232
    assert derive_seed(2**62, "final batches", 4) == 1_223_586_866_558_283_505


def test_a_seed_is_half_the_hash_of_its_parts() -> None:
    digest = hashlib.blake2b(b"7\x1fweight(1, l2(pool))\x1f0", digest_size=8).hexdigest()
    assert derive_seed(7, "weight(1, l2(pool))", 0) == int(digest, 16) // 2


def test_different_purposes_get_different_seeds() -> None:
    seeds = {derive_seed(run, name, rung) for run in range(20) for name in ("a", "b", "1") for rung in range(20)}
    assert len(seeds) == 20 * 3 * 20
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "2", 3) != derive_seed(12, "3")
