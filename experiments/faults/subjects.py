"""Commands that take seconds with the shipped model, each with its results in one folder."""

import shutil

import hub
from runs import ROOT, fresh

PROMPT = "a cartoon of a dragon"

OPTIMIZER = """steps = 12
batch = 4
learning_rate = 1e-3
warmup = 2
betas = [0.9, 0.99]
weight_decay = 0.01
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2
"""

RECIPE = f"""
seed = 3

[autoencoder]
block_out_channels = [8, 8]
layers_per_block = 1
latent_channels = 4
norm_num_groups = 4
crop = 16
crop_grid = 2
mse_weight = 1.0
kl_weight = 1e-6

[autoencoder.optimizer]
{OPTIMIZER}
[diffusion]
concepts = 3
block_out_channels = [8, 8, 8, 8]
layers_per_block = 1
num_attention_heads = [1, 2, 2, 2]
norm_num_groups = 4
text_width = 8
text_layers = 1
text_heads = 2
text_tokens = 8
vocabulary = 530
drop_caption = 0.1
drop_style = 0.1
min_snr_gamma = 5.0

[diffusion.optimizer]
{OPTIMIZER}"""


def experiment(folder):
    """The shipped experiment with the smallest numbers that make every unit."""
    text = (ROOT / "experiments/emoji-sd.toml").read_text()
    text = text.replace("table1_steps = [5, 10, 20]", "table1_steps = [3]")
    text = text.replace("table1_scored_steps = [10]", "table1_scored_steps = [3]")
    text = text.replace("\nsteps = 10\n", "\nsteps = 3\n")
    path = folder / "experiment.toml"
    path.write_text(text)
    return path


def data(folder):
    """A picture set of the shipped validation pictures, with themselves to validate."""
    for name in ("train", "validation"):
        shutil.copytree(ROOT / "models/emoji-sd/validation", folder / "data" / name)
    return folder / "data"


def generate(folder):
    seeds = ",".join(map(str, range(1, 9)))
    return ["unet-reweight", "generate", PROMPT, "--steps", 3, "--seeds", seeds, "--out", folder / "out"]


def importance(folder):
    return ["unet-reweight", "importance", PROMPT, "--steps", 4, "--method", "skip", "--seeds", "1,2,3",
            "--out", folder / "out"]


def probe(folder):
    return ["unet-reweight", "probe", PROMPT, "--steps", 3, "--epochs", 3, "--rounds", 6, "--out", folder / "out"]


def explain(folder):
    return ["unet-reweight", "explain", PROMPT, "--steps", 2, "--seeds", "1", "--out", folder / "out"]


def tune(folder):
    return ["unet-reweight", "tune", PROMPT, "--steps", 2, "--out", folder / "out"]


def table(folder):
    return ["reproduce", "--experiment", experiment(folder), "--scale", "smoke", "--table", "I",
            "--out", folder / "out", "--store", folder / "store"]


def students(folder):
    return ["reproduce", "--experiment", experiment(folder), "--scale", "smoke", "--figure", "3",
            "--out", folder / "out", "--store", folder / "store"]


def train(folder):
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE)
    pictures = folder / "data" if (folder / "data").exists() else data(folder)
    return ["train", "--data", pictures, "--recipe", recipe, "--work", folder / "work", "--out", folder / "out"]


def download(folder):
    return [f"HF_ENDPOINT={hub.slow().address}", f"HF_HOME={folder / 'out'}", *hub.DOWNLOAD]


ALL = {subject.__name__: subject for subject in
       (generate, importance, probe, explain, table, students, train, download)}
# Those that mostly wait for another process.
WAITING = {"download"}


def folder_of(work, name):
    """A fresh folder for a run of a subject."""
    return fresh(work / name)
