"""A small run whose numbers a reader can check by eye, and text that tries to be more than text."""

from collections.abc import Callable

from kdzero_gp.store import RunStore

EXAMPLE = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(scale_r2(catt(stage2)))))))"
HOSTILE = '</pre></script><!--<script>alert(1)</script><img src=x onerror="alert(2)">&{{ 7*7 }}{% x %}'
SHAPES = {
    "student": {"stage1": [2, 2, 8, 8], "stage2": [2, 4, 4, 4], "logits": [2, 10]},
    "teacher": {"stage1": [2, 8, 8, 8], "stage2": [2, 16, 4, 4], "logits": [2, 10]},
}


def fill_sample(store: RunStore, record: Callable[..., None]) -> None:
    """Three generations of evolution beside random search: 3 descends from 1 and 2, 4 failed, 5 was rejected."""
    record(0, EXAMPLE, 3.0, calibration=(0.5, 0.25))
    record(1, "weight(100, l2(satt(stage3)))", 2.0, calibration=(0.5,))
    record(2, "weight(1, l1(pool))", 1.5, calibration=(0.5,), generation=1, parents=(0,), operator="hoist")
    record(
        3, "weight(1, l1(softly(stage3)))", 1.0, generation=2, parents=(1, 2), operator="crossover", calibration=(2,)
    )
    record(4, "weight(5, l1(logits))", generation=2, parents=(2,), operator="node", error="Traceback: out of luck")
    record(5, "weight(5, l2(logits))", generation=2, status="rejected", stage="no_gradient", operator="node")
    record(0, "weight(1, l2(pool))", 2.5, arm="random")
    for arm in ("evolve", "random"):
        for generation in range(3):
            stats = {"best": 3.0 - generation, "median": 4.0, "quartiles": [3.5, 4.5], "diversity": 0.5, "seconds": 1.0}
            funnel = {"proposed": 5, "duplicate": 1, "trained": 4}
            store.put_generation(arm, generation, stats | {"funnel": funnel, "weights": {"l1": 0.5}})
    row = {"name": "evolved 1", "kind": "evolved", "tree": EXAMPLE, "accuracy": [0.95, 0.96], "mean": 0.955}
    kd = {"name": "kd", "kind": "method", "tree": None, "accuracy": [0.97, 0.97], "mean": 0.97, "std": 0.0, "gain": 0.1}
    final = {"rows": [row | {"std": 0.007}, kd], "seeds": [0, 1], "split": "test", "epochs": 3, "baseline": "kd"}
    store.put_result("final", final)
    summary = {"pair": "cnn32 -> cnn2", "data": "digits", "teacher_accuracy": 0.982, "shapes": SHAPES}
    store.put_result("summary", summary)
