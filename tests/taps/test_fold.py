"""Taps of transformers and of channels-last networks: found at equal depths, folded to maps exactly."""

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.models import build
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.fold import token_grid
from kdzero_gp.taps.read import TapReader


def images(height: int = 32, width: int = 32, channels: int = 3, count: int = 2) -> Tensor:
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(0))


def transformer(name: str = "deit_ti", height: int = 32, width: int = 32) -> nn.Module:
    torch.manual_seed(0)
    return build(name, num_classes=5, image_size=(height, width)).eval()


@pytest.mark.parametrize(
    ("name", "depths", "blocks"),
    [
        ("deit_ti", 3, [0, 6, 11]),
        ("deit_ti", 1, [11]),
        ("deit_ti", 2, [0, 11]),
        ("deit_ti", 4, [0, 4, 7, 11]),
        ("deit_ti", 5, [0, 3, 6, 8, 11]),
        ("deit_ti", 99, list(range(12))),
        ("t2t_vit_7", 3, [0, 3, 6]),
        ("t2t_vit_7", 4, [0, 2, 4, 6]),
    ],
)
def test_blocks_at_equal_depths(name: str, depths: int, blocks: list[int]) -> None:
    taps = find_taps(transformer(name), images(), depths=depths)
    assert [str(taps[stage]) for stage in taps.stages] == [f"blocks.{number} (tokens)" for number in blocks]
    width = 192 if name == "deit_ti" else 256
    assert {taps[stage].shape for stage in taps.stages} == {(width, 2, 2)}
    assert str(taps["pool"]) == "input of head"


@pytest.mark.parametrize("name", ["deit_ti", "t2t_vit_7"])
def test_every_place_of_the_map_is_its_patch(name: str) -> None:
    model, x = transformer(name, 32, 64), images(32, 64)
    seen: list[Tensor] = []
    handle = model.get_submodule("blocks.6").register_forward_hook(lambda _m, _i, output: seen.append(output))
    maps = TapReader(model, find_taps(model, x), ["stage2" if name == "deit_ti" else "stage3"])(x)
    handle.remove()
    (folded,), tokens = maps.values(), seen[-1]
    assert folded.shape == (2, tokens.shape[2], 2, 4)
    for row in range(2):
        for column in range(4):
            assert torch.equal(folded[:, :, row, column], tokens[:, 1 + 4 * row + column])
    folded.square().sum().backward()
    assert model.get_parameter("blocks.0.attn.qkv.weight").grad is not None


@pytest.mark.parametrize(
    ("tokens", "image", "prefix", "expected"),
    [
        (196, (224, 224), None, (0, (14, 14))),
        (197, (224, 224), None, (1, (14, 14))),
        (198, (224, 224), None, (2, (14, 14))),
        (201, (224, 224), None, (5, (14, 14))),
        (9, (32, 64), None, (1, (2, 4))),  # and not 3x3
        (8, (32, 64), None, (0, (2, 4))),
        (8, (64, 32), None, (0, (4, 2))),
        (50, (224, 200), None, (1, (7, 7))),  # proportions that rounding lost
        (9, (32, 32), 5, (5, (2, 2))),  # the network tells it
        (196, (224, 224), 1, (0, (14, 14))),  # of other blocks
        (219, (224, 224), None, None),
        (1, (224, 224), None, (0, (1, 1))),
        (3, (32, 32), 7, (2, (1, 1))),
    ],
)
def test_grids(
    tokens: int, image: tuple[int, int], prefix: int | None, expected: tuple[int, tuple[int, int]] | None
) -> None:
    assert token_grid(tokens, image, prefix) == expected


def test_tokens_set_by_hand() -> None:
    model = transformer()
    taps = find_taps(model, images(), {"stage2": "blocks.4.mlp", "pool": "norm"})
    assert str(taps["stage2"]) == "blocks.4.mlp (tokens)"
    assert taps["stage2"].shape == (192, 2, 2)
    assert taps["pool"].shape == (5 * 192,)
    with pytest.raises(TapError, match=r"output is \(2, 5\), but must be \(N, C, H, W\), or tokens"):
        find_taps(model, images(), {"stage2": "head"})


class Encoder(nn.Module):
    """A user's transformer on torch's own layers: two class tokens, positions left out, blocks in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.tokens = nn.Parameter(torch.randn(1, 2, 8))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(5))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.tokens.expand(len(x), -1, -1), x), 1)
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.head(x[:, 2:].mean(1))
        return scores


class Windows(nn.Module):
    """Channels-last blocks at two resolutions, as Swin's: attention scores and windows pass through modules, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, 4)
        self.one, self.two = Window(6), Window(10)
        self.down = nn.Linear(4 * 6, 10)
        self.head = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(self.stem(x).permute(0, 2, 3, 1))  # (N, 8, 8, 6)
        x = torch.cat((x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]), 3)
        x = self.two(self.down(x))
        scores: Tensor = self.head(x.mean((1, 2)))
        return scores


class Window(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.mix, self.drop = nn.LayerNorm(width), nn.Linear(width, width), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(1, 2)
        scores = self.drop((tokens @ tokens.transpose(1, 2)).unsqueeze(1).expand(-1, 3, -1, -1))
        mixed: Tensor = self.mix(scores.softmax(3).mean(1) @ tokens)
        return x + mixed.view_as(x)


def test_a_transformer_of_the_users_own() -> None:
    torch.manual_seed(0)
    taps = find_taps(Encoder(), images())
    assert [str(taps[stage]) for stage in taps.stages] == [f"blocks.{number} (tokens)" for number in (0, 2, 4)]
    assert {(taps[stage].shape, taps[stage].prefix) for stage in taps.stages} == {((8, 4, 4), 2)}


def test_channels_last_maps() -> None:
    torch.manual_seed(0)
    model, x = Windows().eval(), images()
    taps = find_taps(model, x)
    assert [(str(taps[stage]), taps[stage].shape) for stage in taps.stages] == [
        ("one (channels last)", (6, 8, 8)),
        ("two (channels last)", (10, 4, 4)),
    ]
    knowledge = TapReader(model, taps)(x)
    expected = model.one(model.stem(x).permute(0, 2, 3, 1))
    torch.testing.assert_close(knowledge["stage1"], expected.permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("name", "size", "stages"),
    [
        ("torchvision:swin_t", 64, ["features.1 (channels last)", "features.3 (channels last)",
                                    "features.5 (channels last)", "permute"]),
        ("torchvision:convnext_tiny", 64, ["features.1", "features.3", "features.5", "features"]),
        ("timm:vit_tiny_patch16_224", 224, [f"blocks.{number} (tokens)" for number in (0, 6, 11)]),
        ("timm:deit_tiny_distilled_patch16_224", 224, [f"blocks.{number} (tokens)" for number in (0, 6, 11)]),
    ],
)  # fmt: skip
def test_networks_of_the_libraries(name: str, size: int, stages: list[str]) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    model, x = build(name, num_classes=5).eval(), images(size, size)
    taps = find_taps(model, x)
    assert [str(taps[stage]) for stage in taps.stages] == stages
    with torch.no_grad():
        knowledge = TapReader(model, taps)(x)
    assert {key: value.shape[1:] for key, value in knowledge.items()} == taps.shapes()
