"""The training recipe: its forward pass is the model's own, its answers are right, and every stage can take a
step.
"""

import numpy as np
import pytest
import torch

from stvg_core.demo.clips import split_scene
from stvg_core.demo.domain import USUAL, WIDE
from stvg_core.demo.recipe.__main__ import write_log
from stvg_core.demo.recipe.answering import ROLE_TOKENS, QuestionStage
from stvg_core.demo.recipe.architecture import CELLS, build_model
from stvg_core.demo.recipe.cells import NOTHING, STILL, cell_truth, coverage
from stvg_core.demo.recipe.forward import packed_forward
from stvg_core.demo.recipe.heads import TrainingHeads
from stvg_core.demo.recipe.motion import MotionStage, run_of_frames
from stvg_core.demo.recipe.optimise import Optimiser, schedule
from stvg_core.demo.recipe.plan import build_stages
from stvg_core.demo.recipe.questions import KINDS, Clip, ask
from stvg_core.demo.recipe.runner import Stage, run_stages
from stvg_core.demo.recipe.vision import VisionStage, draw_scene
from stvg_core.demo.scenes import ACTIONS, COLOURS, FINITE_VERB, SHAPES, uniform_frames

FEW = {"look": 2, "full": 1, "action": 1, "noun": 1, "bare": 1, "neutral": 1}


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return build_model(0)


def test_training_sees_both_worlds():
    rng = np.random.default_rng(0)
    drawn = [draw_scene(rng) for _ in range(60)]
    usual = sum(scene.noise == USUAL.noise for scene in drawn)
    assert 15 < usual < 45
    assert {scene.noise for scene in drawn} == {USUAL.noise, WIDE.noise}


def test_packed_questions_equal_the_models_own_forward(model):
    """Each question sees the clip and itself, as if it had been asked alone."""
    language = model.model.language_model
    prefix, questions = torch.randn(2, 40, 128), torch.randn(2, 3, 7, 128)
    with torch.no_grad():
        packed = packed_forward(language, prefix, questions)
        for k in range(3):
            alone = language(inputs_embeds=torch.cat([prefix, questions[:, k]], dim=1)).last_hidden_state
            assert torch.allclose(language.norm(packed.questions[:, k]), alone[:, 40:], atol=1e-5)
    assert packed.rows[0].shape == (2, 4, 3, 7, 40)


@pytest.mark.parametrize("head, frames_back", [(0, 1), (1, 2)])
def test_motion_heads_start_at_the_same_cell_of_earlier_frames(head, frames_back):
    model = build_model(1)
    model.set_attn_implementation("eager")
    states = torch.randn(1, 2 + 8 * CELLS, 128) * 0.5
    with torch.no_grad():
        rows = model.model.language_model(inputs_embeds=states, output_attentions=True).attentions[0][0, head]
    later = torch.arange(2 + 3 * CELLS, 2 + 8 * CELLS)
    assert (rows[later].argmax(dim=-1) == later - frames_back * CELLS).float().mean() > 0.9


@pytest.mark.parametrize(
    "objective",
    [
        VisionStage(4),
        MotionStage(1, 4),
        QuestionStage(1, (4,), counts=FEW),
        QuestionStage(1, (4,), attention=0, dense=0),
    ],
    ids=["vision", "motion", "questions", "plain"],
)
def test_one_step_of_each_stage(model, objective):
    heads = TrainingHeads()
    model.requires_grad_(False)
    modules = objective.trainable(model, heads)
    for module in modules:
        module.requires_grad_(True)
    before = [p.detach().clone() for m in modules for p in m.parameters()]
    loss, figures = objective.loss(model, heads, np.random.default_rng(0))
    loss.backward()
    norm = Optimiser(modules, 1e-3, 10).step(5)
    assert np.isfinite(norm) and norm > 0 and np.isfinite(loss.item()) and figures
    after = [p for m in modules for p in m.parameters()]
    assert any(not torch.equal(b, a) for b, a in zip(before, after, strict=True))
    assert all(p.isfinite().all() for p in after)


def test_finished_stages_are_not_run_again(tmp_path):
    stages = [Stage("vision", VisionStage(4), 2, 1e-3)]
    first = run_stages(stages, tmp_path, seed=3)
    again = run_stages(stages, tmp_path, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    write_log(tmp_path / "log.jsonl", tmp_path / "training_log.json")
    assert '"vision"' in (tmp_path / "training_log.json").read_text()


def test_plan_can_stop_early():
    names = [stage.name for stage in build_stages()]
    assert [stage.name for stage in build_stages(names[1])] == names[:2]


def test_schedule_warms_up_and_decays():
    rates = [schedule(step, 1000) for step in range(1000)]
    assert rates[0] < 0.05 and max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(0.05, abs=1e-3)


def test_coverage_adds_up_to_the_boxes_area():
    scene = split_scene("train", 0)
    frames = uniform_frames(scene.n_frames, 6)
    share = coverage(scene, frames)
    boxes = np.nan_to_num(np.stack([scene.boxes(i, frames) for i in range(len(scene.objects))]), nan=0.0)
    assert np.allclose(share.sum(-1) / CELLS, (boxes[..., 2:] - boxes[..., :2]).prod(-1))


def test_cells_show_the_action_only_while_it_holds():
    scene = split_scene("train", 1, difficulty="easy")
    start, end = scene.truth
    target = scene.objects[scene.target]
    frames = np.array([start - 1, start, end, min(end + 1, scene.n_frames - 1)]).clip(0)
    truth = cell_truth(scene, frames)
    cell = coverage(scene, frames)[scene.target].argmax(-1)
    seen = truth.action[np.arange(4), cell]
    assert (truth.colour[np.arange(4), cell] == COLOURS.index(target.colour)).all()
    assert (seen[1:3] == ACTIONS.index(target.action)).all()
    if end + 1 < scene.n_frames:
        assert seen[3] == STILL
    assert (truth.action == NOTHING).any()


def test_questions_are_balanced_and_true():
    rng = np.random.default_rng(0)
    answers = {kind: [] for kind in KINDS}
    for number in range(60):
        scene = split_scene("train", number)
        clip = Clip(scene, run_of_frames(rng, scene, 18))
        for question in ask(rng, clip, {"look": 2, "full": 2, "action": 2, "noun": 2, "bare": 2, "neutral": 1}):
            answers[question.kind].append(question.answer)
            words = question.text.replace(".", " ").split()
            if question.kind == "look":
                there = any(o.colour in words and o.shape in words for o in scene.objects)
                assert question.answer == "no" or there
            if question.kind == "noun":
                assert not set(COLOURS) & set(words) and len(set(SHAPES) & set(words)) == 1
            if question.kind != "neutral":
                assert (question.cells is not None) == (question.answer == "yes")
    for kind in KINDS[:-1]:
        assert 0.4 < np.mean([a == "yes" for a in answers[kind]]) < 0.6


def test_a_noun_alone_is_answered_by_every_object_of_the_shape():
    """Its colour does not count: the clips below hold others of the shape, with other colours and actions."""
    rng = np.random.default_rng(1)
    right = {"yes": 0, "no": 0}
    others = 0
    for number in range(80):
        scene = split_scene("train", number)
        clip = Clip(scene, run_of_frames(rng, scene, 18))
        for question in ask(rng, clip, {"noun": 4}):
            if question.kind != "noun":
                continue
            words = question.text.replace(".", " ").split()
            (shape,) = set(SHAPES) & set(words)
            (action,) = [a for a in ACTIONS if a in question.text or FINITE_VERB[a] in question.text]
            same = [i for i, o in enumerate(scene.objects) if o.shape == shape and o.action == action]
            acts = [i for i in same if clip.acts[i]]
            assert (question.answer == "yes") == bool(acts)
            if acts:
                assert np.array_equal(question.cells, clip.where(acts, in_action=True))
                others += len({scene.objects[i].colour for i in acts}) > 1
            right[question.answer] += 1
    assert min(right.values()) > 100 and others > 0


def test_last_tokens_of_the_prompt_are_the_role_tokens():
    stage = QuestionStage(1, (4,), counts=FEW)
    scene = split_scene("train", 2)
    asked = [ask(np.random.default_rng(0), Clip(scene, uniform_frames(scene.n_frames, 4)), FEW)]
    ids, targets, last = stage.encode(asked)
    for k, question in enumerate(asked[0]):
        end = int(last[0, k])
        tokens = stage.tokenizer.convert_ids_to_tokens(ids[0, k, end - ROLE_TOKENS + 1 : end + 1])
        assert tokens == ["<|im_end|>", "<|im_start|>", "assistant", "\n"]
        assert stage.tokenizer.decode(targets[0, k, end]) == question.answer.split()[0]
