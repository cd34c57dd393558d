"""Schedule files: what is read, what is refused, and what becomes of them in other runs."""

import json
import math

import pytest
from unet_reweight import BlockWeights, FreeU, NoiseLevel, Schedule, ScheduleError, StepWindow

TOML = """# unet-reweight sha256 0123
version = 1
paths = ["down_blocks.0", "mid_block"]

[model]
name = "m"
sha256 = "ab"

[origin]
method = "importance"
prompt = 'a "fox"'
seeds = [1, 9223372036854775807]

[[steps]]
timestep = 500.0
sigma = 2.0

[[steps]]
timestep = 200.0
sigma = 1.0

[blocks]
weights = [[1.0, 1.1], [0.95, 1]]
thresholds = [[0.0, 0.0], [0.0, 1.5]]

[freeu]
b1 = 1.3
b2 = 1.4
s1 = 0.9
s2 = 0.2
form = "adaptive"

[freeu.window]
start = 0.0
end = 0.5
"""


def levels(sigmas):
    return [NoiseLevel(100.0 * sigma, sigma) for sigma in sigmas]


def schedule(rows, sigmas=None, **others):
    own = None if sigmas is None else tuple(levels(sigmas))
    return Schedule(blocks=BlockWeights(rows), levels=own, **others)


def test_load_reads_toml_and_json_alike(tmp_path):
    import tomllib

    (tmp_path / "s.toml").write_text(TOML)
    (tmp_path / "s.json").write_text(json.dumps(tomllib.loads(TOML)))
    loaded = Schedule.load(tmp_path / "s.toml")
    assert loaded == Schedule.load(str(tmp_path / "s.json"))
    assert loaded.blocks.mode(1, 1) == "skip" and loaded.blocks.mode(1, 0) == "run"
    assert loaded.freeu == FreeU(1.3, 1.4, 0.9, 0.2, form="adaptive", window=StepWindow(0.0, 0.5))
    assert loaded.levels[0] == NoiseLevel(500.0, 2.0)
    assert loaded.origin.seeds == (1, 2**63 - 1) and loaded.model.sha256 == "ab"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("version = 2\n", "", "version 1, found 2"),
        ('paths = ["mid_block"]\n', "", "`paths`: expected 2"),
        ("steps = []\n", "", "`steps`: expected 1"),
        ("", "[[steps]]\ntimestep = 1.0\nsigma = -1.0\n", "0 or more"),
        ("", "[[steps]]\ntimestep = 1.0\nsigma = nan\n", "0 or more"),
        ("modle = 1\n", "", "unknown key `modle`"),
        ("", "weigths = 1\n", "unknown key `weigths`"),
        ("", "thresholds = [[1.0]]\n", "2 blocks in every step, found 1 in step 0"),
        ("", "thresholds = []\n", "at least one step"),
        ("", 'modes = [["run", "rest"]]\n', "found 'rest'"),
        ("", 'modes = [["run", "reuse"]]\n', "step 0, block 1: expected an earlier step"),
        ("", "[freeu]\nb1 = 1.0\n", "expected a key `b2`"),
        ("", "[freeu]\nb1 = 1\nb2 = 1\ns1 = 1\ns2 = -1\n", "found -1"),
        ("weights = [[true]]\n", "", "unknown key `weights`"),
    ],
)
def test_load_names_the_file_and_what_is_wrong(tmp_path, before, after, expected):
    path = tmp_path / "s.toml"
    path.write_text(f"{before}[blocks]\nweights = [[1.0, 1.0]]\n{after}")
    with pytest.raises(ScheduleError) as error:
        Schedule.load(path)
    assert "s.toml" in str(error.value) and expected in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", "importance_weight_matrix: [[1.0]]", "`.toml` or `.json`"),
        ("a.json", "{}", "found neither"),
        ("a.json", '{"blocks": null, "freeu": null}', "found neither"),
        ("a.json", '{"blocks": {"weights": [[NaN]]}}', "finite"),
        ("a.json", '{"blocks": {"weights": [["1"]]}}', "expected a number, found a string"),
        ("a.json", '{"blocks": {"weights": [[1], [1, 1]]}}', "found 2 in step 1"),
        ("a.json", '{"freeu": 1, "freeu": 2}', "`freeu` is given twice"),
        ("a.json", "[1]", "expected a table, found a list"),
        ("a.json", "{", "a.json"),
        ("a.toml", "a = = 1", "a.toml"),
    ],
)
def test_load_refuses_what_is_no_schedule(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(ScheduleError) as error:
        Schedule.load(tmp_path / name)
    assert name in str(error.value) and expected in str(error.value)


def test_rising_noise_levels_and_a_reuse_beside_a_threshold_are_refused():
    with pytest.raises(ScheduleError, match="a rise at 0"):
        schedule([[1.0], [1.0]], [1.0, 2.0])
    with pytest.raises(ScheduleError, match="step 1, block 0: expected either"):
        BlockWeights([[1.0]] * 2, [[0.0], [1.5]], [["run"], ["reuse"]])


def test_is_reused_looks_beyond_skips_to_the_next_step_that_adds_something():
    modes = [[mode] for mode in ("run", "run", "skip", "reuse", "reuse", "run", "skip")]
    weights = BlockWeights([[1.0]] * 7, modes=modes)
    assert [step for step in range(7) if weights.is_reused(step, 0)] == [1]


def test_resampled_goes_by_the_logarithm_of_sigma():
    own = schedule([[1.0], [1.2]], [8.0, 2.0])
    # 4 is half way between 8 and 2; 16 and 1 lie outside.
    run = levels([16.0, 8.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    nearest = own.resampled(run, "nearest")
    assert [row[0] for row in nearest.blocks.weights] == [1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 1.2]
    between = own.resampled(run, "interpolate").blocks.weights
    assert math.isclose(between[3][0], 1.1) and between[0] == [1.0] and between[6] == [1.2]
    assert nearest.levels == tuple(run) and own.resampled(levels([8.0, 2.0]), "nearest") is own


def test_resampled_without_levels_goes_by_the_fraction_of_the_run():
    moved = schedule([[1.0], [1.2]]).resampled(levels([9.0, 5.0, 3.0, 1.0]), "nearest")
    assert moved.blocks.weights == [[1.0], [1.0], [1.2], [1.2]]


def test_within_leaves_the_rest_as_it_is():
    own = schedule([[1.1]] * 4, freeu=FreeU(1.4, 1.6, 0.9, 0.2))
    late = own.within(0.5, 1.0)
    assert late.blocks.weights == [[1.0], [1.0], [1.1], [1.1]]
    assert late.freeu.window == StepWindow(0.5, 1.0)
    with pytest.raises(ScheduleError, match="none of 4 steps"):
        own.within(0.8, 0.9)
    for start, end in [(-0.1, 0.5), (0.6, 0.5), (0.0, 1.5), (math.nan, 1.0)]:
        with pytest.raises(ScheduleError, match="0 <= start < end <= 1"):
            own.within(start, end)


def test_check_paths_names_the_first_that_differs():
    own = schedule([[1.0, 1.0]], paths=("down_blocks.0", "mid_block"))
    own.check_paths(["down_blocks.0", "mid_block"])
    for paths, expected in [
        (["down_blocks.0", "up_blocks.0"], "`up_blocks.0` as block 1, found `mid_block`"),
        (["down_blocks.0"], "`none` as block 1, found `mid_block`"),
        (["down_blocks.0", "mid_block", "up_blocks.0"], "`up_blocks.0` as block 2, found `none`"),
    ]:
        with pytest.raises(ScheduleError, match=expected):
            own.check_paths(paths)
    with pytest.raises(ScheduleError, match="has 2 blocks, expected 1"):
        schedule([[1.0, 1.0]]).check_paths(["mid_block"])
