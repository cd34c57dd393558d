"""Models and pipelines that tests share; skipped where something they need is missing."""

import pytest
from program import SHIPPED


@pytest.fixture(scope="session")
def diffusers():
    torch = pytest.importorskip("torch", reason="no PyTorch")
    # Models this small gain nothing from more threads.
    torch.set_num_threads(1)
    pytest.importorskip("transformers", reason="no transformers")
    pytest.importorskip("safetensors", reason="no safetensors")
    return pytest.importorskip("diffusers", reason="no diffusers")


def _loaded(diffusers, folder):
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder).to("cpu")
    for part in (pipe.unet, pipe.vae, pipe.text_encoder, getattr(pipe, "text_encoder_2", None)):
        if part is not None:
            part.float()
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def shipped(diffusers):
    """The shipped model, as a pipeline of diffusers."""
    return _loaded(diffusers, SHIPPED)


def _written(shape, tmp_path_factory):
    from tiny_models import write_tiny_model

    folder = tmp_path_factory.mktemp(f"tiny-{shape}")
    write_tiny_model(folder, shape)
    return folder


@pytest.fixture(scope="session")
def sd1_folder(diffusers, tmp_path_factory):
    return _written("sd1", tmp_path_factory)


@pytest.fixture(scope="session")
def sd1(diffusers, sd1_folder):
    """A model of SD 1.x's shape with a few random channels."""
    return _loaded(diffusers, sd1_folder)


@pytest.fixture(scope="session")
def sdxl_folder(diffusers, tmp_path_factory):
    return _written("sdxl", tmp_path_factory)


@pytest.fixture(scope="session")
def sdxl(diffusers, sdxl_folder):
    """A model of SDXL's shape with a few random channels."""
    return _loaded(diffusers, sdxl_folder)
