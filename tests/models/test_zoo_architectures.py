"""What the networks compute: against other implementations and plain loops."""

import math

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.models import build
from kdzero_gp.models.channel_shuffle import ChannelShuffle
from kdzero_gp.models.performer import TokenPerformer
from kdzero_gp.models.transformer import DropPath, drop_path_rates


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_deit_is_timms_with_the_same_weights() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("deit_tiny_patch16_224", pretrained=False, num_classes=7, img_size=(64, 32)).eval()
    ours = build("deit_ti", num_classes=7, image_size=(64, 32)).eval()
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(noise(2, 3, 64, 32)), theirs(noise(2, 3, 64, 32)))


def test_performer_attention_by_plain_loops() -> None:
    torch.manual_seed(0)
    layer = TokenPerformer(6, 4).double().eval()
    tokens = noise(2, 5, 6).double()

    def feature(x: Tensor, j: int) -> float:
        dot = sum(float(x[i] * layer.w[j, i]) for i in range(4))
        length = sum(float(x[i]) ** 2 for i in range(4))
        return math.exp(dot - length / 2) / math.sqrt(2)

    with torch.no_grad():
        ours = layer(tokens)
        for n in range(2):
            mapped = layer.kqv(layer.norm1(tokens[n]))
            keys, queries, values = mapped[:, :4], mapped[:, 4:8], mapped[:, 8:]

            for row in range(5):
                weights = [
                    sum(feature(queries[row], j) * feature(keys[other], j) for j in range(2)) for other in range(5)
                ]
                mixed = [sum(w * float(values[o, i]) for o, w in enumerate(weights)) / sum(weights) for i in range(4)]
                out = values[row] + layer.proj(torch.tensor(mixed, dtype=torch.float64))
                out = out + layer.mlp(layer.norm2(out))
                torch.testing.assert_close(ours[n, row], out, rtol=1e-6, atol=1e-6)


def test_performer_features_are_orthogonal_and_not_learned() -> None:
    layer = TokenPerformer(8, 64)
    torch.testing.assert_close(layer.w @ layer.w.T, 32 * torch.eye(32), rtol=0, atol=1e-4)
    assert "w" not in dict(layer.named_parameters())


def test_positions_of_t2t_vit_are_sines_and_cosines() -> None:
    table = build("t2t_vit_7", num_classes=3, image_size=(32, 48)).pos_embed
    assert isinstance(table, Tensor)
    assert table.shape == (1, 7, 256)
    for position in (0, 1, 6):
        for unit in (0, 1, 2, 77, 254, 255):
            angle = position / 10_000 ** (2 * (unit // 2) / 256)
            expected = math.sin(angle) if unit % 2 == 0 else math.cos(angle)
            assert float(table[0, position, unit]) == pytest.approx(expected, abs=1e-6)


def test_channel_shuffle_by_its_definition() -> None:
    maps = noise(2, 12, 3, 2)
    shuffled = ChannelShuffle(3)(maps)
    for group in range(3):
        for i in range(4):
            assert torch.equal(shuffled[:, 3 * i + group], maps[:, 4 * group + i])


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    assert drop_path_rates(0.1, 3) == pytest.approx([0, 0.05, 0.1])
    drop = DropPath(0.25)
    torch.manual_seed(0)
    dropped = drop(torch.ones(4000, 2, 3))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(dropped.amin((1, 2)), dropped.amax((1, 2)))
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)
    branch = torch.ones(5, 2)
    assert drop.eval()(branch) is branch


def test_wide_resnet_block_by_hand() -> None:
    torch.manual_seed(0)
    model = build("wrn_16_1", num_classes=3).eval()
    block = model.get_submodule("block2.layer.0")
    maps = noise(2, 16, 8, 8)

    def part(name: str) -> nn.Module:
        return block.get_submodule(name)

    with torch.no_grad():
        active = part("bn1")(maps).clamp(min=0)
        residual = part("conv2")(part("bn2")(part("conv1")(active)).clamp(min=0))
        torch.testing.assert_close(block(maps), residual + part("convShortcut")(active))
