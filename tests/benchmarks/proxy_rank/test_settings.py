"""The cheap trainings cut or shorten the full one."""

from benchmarks.proxy_rank.settings import Proxy
from kdzero_gp.tasks.recipe import Recipe


def test_the_settings_cut_or_shorten_the_full_recipe() -> None:
    full = Recipe(epochs=16, batch_size=10, lr=0.1)
    assert Proxy("a", (5,), "prefix").recipe(full, 100) == full
    short = Proxy("b", (25,)).recipe(full, 100)
    assert (short.epochs, short.restarts) == (3, (25,))
    assert short.learning_rates(30)[:25] == full.learning_rates(25)
    raced = Proxy("c", (3, 9, 27), "restarts").recipe(full, 100).learning_rates(30)
    assert raced[:27] == [*full.learning_rates(3), *full.learning_rates(6), *full.learning_rates(18)]
