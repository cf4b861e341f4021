from __future__ import annotations

import math

import pytest
import torch

from spex_nb.model.layers.joint_readout import TargetTree, dice_loss, partial_label_loss

TARGETS = ("water", "vegetation", "built_up", "building", "road", "tree", "low")
PARENTS = {"building": "built_up", "road": "built_up", "tree": "vegetation", "low": "vegetation"}


@pytest.fixture
def tree() -> TargetTree:
    return TargetTree(TARGETS, PARENTS, complete=("vegetation",))


def random_logits() -> torch.Tensor:
    return 4 * torch.randn(2, len(TARGETS), 5, 6, generator=torch.Generator().manual_seed(3))


def test_probabilities_by_hand(tree: TargetTree) -> None:
    logits = torch.log(torch.tensor([[2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 1.0]]))
    found = tree.log_probabilities(logits).exp()[0].tolist()
    # First level: 2, 3, 4 and 1 for none of these. Built-up: 1, 2 and 1 for neither. Vegetation: 3 and 1.
    assert found == pytest.approx([0.2, 0.3, 0.4, 0.4 / 4, 0.4 * 2 / 4, 0.3 * 3 / 4, 0.3 / 4])


def test_exclusive_targets_never_add_up_to_more_than_one(tree: TargetTree) -> None:
    p = tree.log_probabilities(random_logits()).exp()
    assert (p[:, :3].sum(1) <= 1 + 1e-6).all()


def test_no_pixel_is_two_exclusive_targets(tree: TargetTree) -> None:
    masks = tree.log_odds(random_logits()) > 0
    assert (masks[:, :3].sum(1) <= 1).all()
    assert masks[:, :3].any()


def test_parts_lie_inside_their_parents(tree: TargetTree) -> None:
    masks = tree.log_odds(random_logits()) > 0
    for part, parent in PARENTS.items():
        inside = masks[:, TARGETS.index(parent)]
        assert not (masks[:, TARGETS.index(part)] & ~inside).any()


def test_parts_of_a_complete_target_add_up_to_it(tree: TargetTree) -> None:
    p = tree.log_probabilities(random_logits()).exp()
    torch.testing.assert_close(p[:, 5] + p[:, 6], p[:, 1])


def test_log_odds_are_finite_for_any_logits(tree: TargetTree) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0, 1e4, -1e4, 1e4, -1e4]])
    odds = tree.log_odds(logits)
    assert odds.isfinite().all()
    assert odds[0, 0] > 10 > -10 > odds[0, 1]


def test_log_odds_are_those_of_the_probability(tree: TargetTree) -> None:
    logits = random_logits() / 4
    p = tree.log_probabilities(logits).exp()
    torch.testing.assert_close(tree.log_odds(logits).sigmoid(), p, atol=1e-5, rtol=1e-4)


def test_without_parts_one_target_is_read_as_by_a_sigmoid() -> None:
    logits = torch.tensor([[-3.0], [0.0], [2.0]])
    torch.testing.assert_close(TargetTree(["water"]).log_odds(logits), logits)


@pytest.mark.parametrize(
    ("asked", "needed"),
    [(["water"], [0, 1, 2]), (["road"], [0, 1, 2, 3, 4]), (["tree", "building"], [0, 1, 2, 3, 4, 5, 6])],
)
def test_rivals_are_the_first_level_and_the_parts_beside(tree: TargetTree, asked: list[str], needed: list[int]) -> None:
    assert tree.rivals(asked) == needed


@pytest.mark.parametrize("parents", [{"roof": "built_up"}, {"building": "town"}, {"road": "built_up", "tree": "road"}])
def test_parts_that_belong_to_no_target_are_refused(parents: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected targets of"):
        TargetTree(TARGETS, parents)


def test_gradients_reach_rivals(tree: TargetTree) -> None:
    logits = torch.zeros(1, len(TARGETS), requires_grad=True)
    tree.log_probabilities(logits)[0, 0].backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] > 0 > logits.grad[0, 1]
    assert math.isclose(float(logits.grad[0, 3]), 0, abs_tol=1e-7)


LEAVES = (
    ("water", None),
    (None, None),
    ("building", "built_up"),
    ("road", "built_up"),
    (None, "built_up"),
    ("tree", "vegetation"),
    ("low", "vegetation"),
)


def test_leaves_are_the_finest_classes_and_add_up_to_one(tree: TargetTree) -> None:
    assert tree.leaves == LEAVES
    torch.testing.assert_close(tree.leaf_log_probabilities(random_logits()).exp().sum(1), torch.ones(2, 5, 6))


def test_a_target_is_the_sum_of_its_leaves(tree: TargetTree) -> None:
    leaves, targets = tree.leaf_log_probabilities(random_logits()).exp(), tree.log_probabilities(random_logits()).exp()
    torch.testing.assert_close(leaves[:, 2:5].sum(1), targets[:, 2])
    torch.testing.assert_close(leaves[:, 5:].sum(1), targets[:, 1])


def allow(*classes: int) -> torch.Tensor:
    """Return the label of one pixel that allows some leaves: bool [1, L, 1, 1]."""
    allowed = torch.zeros(1, len(LEAVES), 1, 1, dtype=torch.bool)
    allowed[:, list(classes)] = True
    return allowed


def test_partial_labels_cost_the_log_of_all_that_they_allow() -> None:
    log_leaves = torch.log(torch.tensor([0.1, 0.2, 0.1, 0.1, 0.1, 0.3, 0.1])).view(1, -1, 1, 1)
    assert float(partial_label_loss(log_leaves, allow(5))) == pytest.approx(-math.log(0.3))
    assert float(partial_label_loss(log_leaves, allow(5, 6))) == pytest.approx(-math.log(0.4))
    assert float(partial_label_loss(log_leaves, allow(0, 1, 3, 4, 5, 6))) == pytest.approx(-math.log(0.9), rel=1e-5)
    assert float(partial_label_loss(log_leaves, allow(*range(7)))) == 0


def test_pixels_without_label_and_weight_count_for_nothing() -> None:
    log_leaves = torch.log(torch.tensor([[0.4] + [0.1] * 6, [0.1] * 6 + [0.4]])).view(2, -1, 1, 1)
    allowed = torch.cat([allow(0), allow(*range(7))])
    assert float(partial_label_loss(log_leaves, allowed)) == pytest.approx(-math.log(0.4))
    allowed = torch.cat([allow(0), allow(0)])
    weights = torch.tensor([3.0, 1.0]).view(2, 1, 1)
    expected = -(3 * math.log(0.4) + math.log(0.1)) / 4
    assert float(partial_label_loss(log_leaves, allowed, weights)) == pytest.approx(expected)


def test_dice_loss_by_hand_and_only_where_known() -> None:
    p = torch.tensor([[[1.0, 0.5, 0.9]]])
    is_target = torch.tensor([[[True, True, False]]])
    assert float(dice_loss(p, is_target, torch.tensor([[[True, True, False]]]))) == pytest.approx(1 - 3 / 3.25)
    assert float(dice_loss(is_target.float(), is_target, torch.ones_like(is_target))) == pytest.approx(0)
