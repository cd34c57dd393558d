"""FreeU's arithmetic, beside diffusers' own and what must hold of it."""

import pytest
from unet_reweight import FreeU, ScheduleError, StepWindow
from unet_reweight.freeu import scaled_low_frequencies

torch = pytest.importorskip("torch", reason="no PyTorch")


def test_low_frequencies_a_constant_map_is_scaled_and_a_checkerboard_is_kept():
    constant = scaled_low_frequencies(torch.ones(1, 1, 6, 4), 0.2)
    assert torch.allclose(constant, torch.full_like(constant, 0.2), atol=1e-6)
    place = torch.arange(6)[:, None] + torch.arange(4)[None, :]
    board = (1.0 - 2.0 * (place % 2)).reshape(1, 1, 6, 4)
    assert torch.allclose(scaled_low_frequencies(board, 0.2), board, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (4, 16), (6, 10), (2, 2)])
def test_rewrite_is_that_of_diffusers(diffusers, size):
    from diffusers.utils.torch_utils import apply_freeu

    torch.manual_seed(0)
    hidden, skip = torch.randn(2, 6, *size), torch.randn(2, 4, *size)
    factors = {"b1": 1.4, "b2": 1.6, "s1": 0.9, "s2": 0.2}
    for up_block in (0, 1):
        freeu = FreeU(**factors)
        ours = freeu.rewrite(hidden, skip, freeu.factors(up_block, 6, 320))
        theirs = apply_freeu(up_block, hidden.clone(), skip.clone(), **factors)
        for mine, reference in zip(ours, theirs):
            assert torch.allclose(mine, reference, atol=1e-5)


def test_adaptive_features_without_spread_stay():
    freeu = FreeU(1.4, 1.6, 0.9, 0.2, form="adaptive")
    hidden = torch.ones(1, 4, 3, 3)
    assert torch.equal(freeu.rewrite(hidden, hidden, (1.4, 1.0))[0], hidden)


def test_factors_gatings_differ():
    by_block = FreeU(1.4, 1.6, 0.9, 0.2)
    by_channels = FreeU(1.4, 1.6, 0.9, 0.2, gating="channels")
    assert by_block.factors(1, 1280, 320) == (1.6, 0.2)
    assert by_channels.factors(1, 1280, 320) == (1.4, 0.9)
    assert by_channels.factors(2, 640, 320) == (1.6, 0.2)
    assert by_block.factors(2, 640, 320) is None


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(ScheduleError, match="0.6 and 0.5"):
        FreeU(1.0, 1.0, 1.0, 1.0, window=StepWindow(0.6, 0.5))
