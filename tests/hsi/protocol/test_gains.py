from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.core.errors import CheckFailedError, ConfigError
from toolkit.core.progress import Silent
from toolkit.hsi import synthetic
from toolkit.hsi.config import HsiTrainConfig, SplitConfig
from toolkit.hsi.network_config import NAMES
from toolkit.hsi.protocol import gains
from toolkit.hsi.protocol.compare_config import CompareConfig, every_network
from toolkit.hsi.protocol.comparison import Comparison, Point
from toolkit.hsi.protocol.splits import random_split
from toolkit.hsi.protocol.svm import svm_map
from toolkit.hsi.recipes import recipe


def comparison(folder: Path, **settings: object) -> Comparison:
    chosen = {"networks": ("hu2015", "lee2017"), "arms": ("scratch", "grid"), "draws": 2}
    return Comparison(folder, CompareConfig(**{**chosen, **settings}), Silent())


def test_every_arm_of_a_point_gets_the_same_splits(tmp_path):
    one = comparison(tmp_path, per_class=(5,))
    rates = {point.name: 1e-3 for point in one.points}
    splits = {
        point: [cell.config.split for cell in one.cells(point, rates)] for point in one.points
    }
    assert len(splits) == 4
    assert len({tuple(s.model_dump_json() for s in part) for part in splits.values()}) == 1
    assert [s.draw for s in splits[Point("hu2015", "grid", 5)]] == [0, 1]


def test_a_disjoint_split_keeps_the_largest_patch_apart_for_every_network(tmp_path):
    config = CompareConfig.model_validate_json(
        '{"networks": ["hu2015", "lee2017"], "train": {"split": {"kind": "disjoint"}}}'
    )
    one = Comparison(tmp_path, config, Silent())
    rates = {point.name: 1e-3 for point in one.points}
    patches = {cell.config.split.patch for p in one.points for cell in one.cells(p, rates)}
    assert patches == {5}


def test_a_variant_of_a_larger_patch_has_the_splits_of_the_others(tmp_path):
    wider = "train.network.residual.channels=[8,8,8]"
    train = HsiTrainConfig(split=SplitConfig(kind="disjoint"))
    alone = {"networks": ("residual",), "arms": ("scratch",)}
    one = comparison(tmp_path, **alone, vary=(wider,), train=train)
    rates = {point.name: 1e-3 for point in one.points}
    assert {c.config.split.patch for p in one.points for c in one.cells(p, rates)} == {13}


def test_cells_of_random_splits_are_the_same_in_a_comparison_of_more_networks(tmp_path):
    point = Point("hu2015", "scratch", 5)
    alone, among = (
        comparison(tmp_path, networks=networks, arms=("scratch",)).cells(point, {point.name: 1e-3})
        for networks in (("hu2015",), ("hu2015", "lee2017"))
    )
    assert [cell.config for cell in alone] == [cell.config for cell in among]


def test_settings_can_be_chosen_on_other_draws_than_are_judged(tmp_path):
    one = comparison(tmp_path, first_draw=100, choice_draws=3)
    rates = {point.name: 1e-3 for point in one.points}
    assert [c.config.split.draw for c in one.cells(one.points[0], rates)] == [100, 101]
    assert {c.config.split.draw for c in one._choices()} == {100, 101, 102}


def test_finetuning_cells_name_the_trunk_of_their_network_and_arm(tmp_path):
    one = comparison(tmp_path, pretrainings=2)
    rates = {point.name: 1e-3 for point in one.points}
    cells = one.cells(Point("lee2017", "grid", 5), rates)
    assert [Path(cell.config.trunk).name for cell in cells] == [
        "lee2017-grid-seed-0",
        "lee2017-grid-seed-1",
    ]
    assert {cell.verb for cell in cells} == {"finetune"}
    assert {c.verb for c in one.cells(Point("lee2017", "scratch", 5), rates)} == {"train"}


def test_networks_come_with_what_they_need_and_what_is_set_goes_before_it(tmp_path):
    text = '{"networks": ["residual", "hu2015"], "arms": ["grid"], "pretrain": {"batch_size": 4}}'
    cells = Comparison(tmp_path, CompareConfig.model_validate_json(text), Silent())._pretrainings()
    assert [(c.config.steps, c.config.artificial.blocks, c.config.batch_size) for c in cells] == [
        (1000, (9,), 4),
        (2500, (5,), 4),
    ]
    text = '{"networks": ["hu2015"], "arms": ["grid"], "pretrain": {"steps": 7}}'
    own = Comparison(tmp_path, CompareConfig.model_validate_json(text), Silent())._pretrainings()
    assert [cell.config.steps for cell in own] == [7]


def test_a_variant_is_compared_with_its_own_arm_and_pretrains_only_if_it_must(tmp_path):
    vary = ("train.augmentation.noise=0.1", "pretrain.artificial.blocks=[3] pretrain.steps=5")
    one = comparison(tmp_path, networks=("li2017",), per_class=(5,), vary=vary)
    assert [(p.arm, p.variant) for p in one.points] == [
        ("scratch", ""),
        ("scratch", vary[0]),
        *(("grid", variant) for variant in ("", *vary)),
    ]
    trunks = [cell.config for cell in one._pretrainings()]
    assert [(c.artificial.blocks, c.steps) for c in trunks] == [((5,), 2000), ((3,), 5)]
    rates = {point.name: 1e-3 for point in one.points}
    noise = [one.cells(point, rates)[0].config.augmentation.noise for point in one.points]
    assert noise == [0.0, 0.1, 0.0, 0.1, 0.0]


def test_what_is_set_for_trunks_reaches_the_pretrained_arms_alone(tmp_path):
    text = '{"networks": ["residual"], "per_class": [5], "finetune": {"trunk_rate": 0.5}, "vary": '
    text += '["finetune.trunk_rate=0.2"]}'
    one = Comparison(tmp_path, CompareConfig.model_validate_json(text), Silent())
    assert [(p.arm, p.variant) for p in one.points if p.arm in ("scratch", "grid")] == [
        ("scratch", ""),
        ("grid", ""),
        ("grid", "finetune.trunk_rate=0.2"),
    ]
    rates = {point.name: 1e-3 for point in one.points}
    configs = [one.cells(point, rates)[0].config for point in one.points[:3]]
    assert [getattr(config, "trunk_rate", None) for config in configs] == [None, 0.5, 0.2]


def test_pretrained_arms_have_the_recipe_of_training_and_their_own(tmp_path):
    one = comparison(tmp_path, networks=("hu2015",))
    rates = {point.name: 1e-3 for point in one.points}
    scratch, grid = (
        one.cells(Point("hu2015", arm, 5), rates)[0].config for arm in ("scratch", "grid")
    )
    assert scratch.steps == grid.steps == recipe("hu2015", "train")[1]["steps"]
    assert grid.trunk_rate == recipe("hu2015", "finetune")[1]["trunk_rate"]


def test_settings_that_go_before_a_recipe_make_another_comparison():
    plain = CompareConfig.model_validate_json('{"networks": ["hu2015"]}')
    default = CompareConfig.model_validate_json('{"networks": ["hu2015"], "train": {"steps": 150}}')
    assert plain.to_toml() == default.to_toml() and plain.digest({}) != default.digest({})


def test_gains_are_over_scratch_and_those_of_variants_over_their_arm(tmp_path, monkeypatch):
    one = comparison(tmp_path, networks=("hu2015",), per_class=(5,), vary=("train.steps=9",))
    scores = {("scratch", ""): 0.5, ("scratch", "train.steps=9"): 0.52}
    scores |= {("grid", ""): 0.6, ("grid", "train.steps=9"): 0.65}

    def cells(point: Point, rates: object) -> list[object]:
        found = dict.fromkeys(("oa", "aa", "kappa"), scores[point.arm, point.variant])
        return [type("C", (), {"result": found})() for _ in range(2)]

    monkeypatch.setattr(one, "cells", cells)
    rows = gains.table(one, {point.name: 1e-3 for point in one.points})
    told = [(row["arm"], row["variant"], row["gain_over"], row["gain_mean"]) for row in rows]
    assert told == [
        ("scratch", "", None, None),
        ("scratch", "train.steps=9", "scratch", pytest.approx(2.0)),
        ("grid", "", "scratch", pytest.approx(10.0)),
        ("grid", "train.steps=9", "grid", pytest.approx(5.0)),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        *("steps=9", "train.stepz=9", "pretrain.artificial.kind=grud"),
        *("train.learning_rate=0.1", "finetune.learning_rate=0.1", "finetune.trunk=other"),
    ],
)
def test_a_variant_that_is_none_is_refused_before_anything_runs(tmp_path, wrong):
    from toolkit.core.config import validate

    with pytest.raises(ConfigError, match=r"vary|stepz|grud"):
        Comparison(tmp_path, validate(CompareConfig, [("test", {"vary": [wrong]})]), Silent())


def test_the_rate_is_chosen_where_it_validates_best(tmp_path, monkeypatch):
    one = comparison(tmp_path, rates=(1e-4, 1e-3, 1e-2), choice_draws=2)
    point = one.points[0]
    scores = {1e-4: (0.5, 0.6), 1e-3: (0.9, 0.8), 1e-2: (0.95, 0.1)}
    cells = {
        rate: [type("C", (), {"result": {"aa": aa, "n_test": 9}})() for aa in values]
        for rate, values in scores.items()
    }
    monkeypatch.setattr(one, "_choice", lambda point, rate: cells[rate])
    assert one._rate(point) == 1e-3


@pytest.mark.parametrize(("pooled", "chosen"), [(False, {5: 1e-2, 50: 1e-3}), (True, 1e-3)])
def test_a_pooled_choice_is_one_rate_for_all_numbers_of_pixels(
    tmp_path, monkeypatch, pooled, chosen
):
    one = comparison(tmp_path, rates=(1e-3, 1e-2), per_class=(5, 50), pool_choice=pooled)
    scores = {(5, 1e-3): 0.6, (5, 1e-2): 0.75, (50, 1e-3): 0.9, (50, 1e-2): 0.8}

    def cells(point, rate):  # few pixels that validate count for little
        own = {"aa": scores[point.per_class, rate], "n_test": 10 * point.per_class}
        return [type("C", (), {"result": own})()]

    monkeypatch.setattr(one, "_choice", cells)
    for point in one.points:
        assert one._rate(point) == (chosen if pooled else chosen[point.per_class])


def test_rates_are_chosen_on_training_pixels_alone(tmp_path):
    one = comparison(tmp_path)
    assert all(cell.config.split.validation == 0.5 for cell in one._choices())


def test_gains_are_paired(monkeypatch):
    ours = [{"oa": 0.60}, {"oa": 0.80}, {"oa": 0.70}]
    base = [{"oa": 0.58}, {"oa": 0.77}, {"oa": 0.66}]
    found = gains._gain(ours, base)
    assert found["gain_mean"] == pytest.approx(3.0)
    low, high = found["gain_ci95"]
    assert 1.9 < low < 3.0 < high < 4.1


def test_one_draw_has_a_gain_but_no_interval():
    assert gains._gain([{"oa": 0.6}], [{"oa": 0.5}])["gain_ci95"] is None


def rows() -> list[dict[str, object]]:
    return [
        {"network": n, "per_class": k, "arm": a, "variant": "", "oa_mean": 50.0 + k, "oa_sd": 2.0}
        for n, a in (("hu2015", "scratch"), ("hu2015", "grid"), ("svm", "svm"))
        for k in (5, 15)
    ]


def test_the_figure_has_a_panel_for_each_network(tmp_path):
    config = CompareConfig(networks=("hu2015", "lee2017"), per_class=(5, 15))
    path = gains.draw(tmp_path / "a.png", rows(), config)
    with Image.open(path) as image:
        assert image.width > image.height


@pytest.mark.parametrize(
    "settings",
    [
        '{"arms": ["inductive"]}',
        '{"train": {"split": {"kind": "given", "train_map": "a", "test_map": "b"}}}',
        '{"train": {"split": {"kind": "all"}}}',
        '{"arms": ["inductive"], "train": {"classes": [1, 2], "split": {"kind": "disjoint"}}}',
        '{"arms": ["inductive"], "vary": ["train.split.block=40"],'
        ' "train": {"split": {"kind": "disjoint"}}}',
    ],
)
def test_what_cannot_be_compared_is_refused(settings):
    import json

    from toolkit.core.config import validate

    with pytest.raises(ConfigError):
        validate(CompareConfig, [("test", json.loads(settings))])


def test_a_trunk_that_has_seen_what_is_tested_is_not_inductive():
    clean, seen = ({"leak": {"test_pixels_seen_in_pretraining": n}} for n in (0, 7))
    gains._check_inductive({Point("hu2015", "grid", 5): [seen]})
    gains._check_inductive({Point("hu2015", "inductive", 5): [clean, {}]})
    with pytest.raises(CheckFailedError, match="7 test pixels"):
        gains._check_inductive({Point("hu2015", "inductive", 5): [clean, seen]})


def test_all_networks_have_a_word():
    assert every_network("all") == NAMES
    assert every_network("hu2015,li2017") == ("hu2015", "li2017")


def test_the_support_vector_machine_learns_spectra_and_only_answers_where_asked():
    scene = synthetic.scene(30, 30, 15, 3, seed=0, noise=0.005)
    assert scene.labels is not None
    train = np.zeros_like(scene.labels)
    for k in (1, 2, 3):
        places = np.argwhere(scene.labels == k)[:8]
        train[tuple(places.T)] = k
    where = (scene.labels > 0) & (train == 0)
    found = svm_map(scene, train, where, seed=0)
    assert (found[~where] == -1).all()
    assert (found[where] == scene.labels[where] - 1).mean() > 0.7


def test_the_support_vector_machine_takes_a_class_of_one_pixel():
    scene = synthetic.scene(20, 20, 8, 2, seed=0)
    train = np.zeros(scene.shape, np.int32)
    train[0, :4], train[5, 5] = 1, 2
    assert svm_map(scene, train, train == 0, seed=0).shape == (20, 20)


def test_draws_without_validation_pixels_do_not_choose_the_rate(tmp_path, monkeypatch):
    one = comparison(tmp_path, rates=(1e-4, 1e-3), choice_draws=1, per_class=(1, 5))
    results = {1: {"aa": float("nan"), "n_test": 0}, 5: {"aa": 0.5, "n_test": 9}}

    def choice(point: Point, rate: float) -> list[object]:
        better = {**results[point.per_class], "aa": results[point.per_class]["aa"] + rate}
        return [type("C", (), {"result": better})()]

    monkeypatch.setattr(one, "_choice", choice)
    assert one._rate(one.points[0]) == 1e-3


@pytest.mark.parametrize("pool", [True, False])
def test_one_pixel_a_class_has_no_rate_to_choose(pool):
    from toolkit.core.config import validate

    asked = {"per_class": [1], "pool_choice": pool}
    with pytest.raises(ConfigError, match="rates=\\[1e-3\\]"):
        validate(CompareConfig, [("test", asked)])
    assert validate(CompareConfig, [("test", {**asked, "rates": [1e-3]})]).per_class == (1,)


@pytest.mark.parametrize("per_class", [1, 2, 5])
def test_the_support_vector_machine_learns_from_a_pixel_a_class(per_class):
    scene = synthetic.scene(24, 24, 12, 3, seed=0)
    split = random_split(scene.labels, per_class, np.random.default_rng(0))
    found = svm_map(scene, split.train, split.test > 0, 0)
    part = split.test > 0
    assert (found[~part] == -1).all()
    assert (found[part] == split.test[part] - 1).mean() > 0.6
