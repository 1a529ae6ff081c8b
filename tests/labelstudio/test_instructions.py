"""Instructions for annotators: ours where a project has none, and a lead's own words stay as they are."""

from __future__ import annotations

import re

import pytest

from backend.labelstudio import instructions as module
from backend.labelstudio.config import read_config
from backend.labelstudio.instructions import ensure_instructions, instructions, replace_instructions
from labeling_config import video_tube
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG
from tests.labelstudio.fake_label_studio import FakeLabelStudio, Json

OURS = read_config(video_tube())


@pytest.fixture
def ls() -> FakeLabelStudio:
    return FakeLabelStudio()


def project(ls: FakeLabelStudio, text: str | None = "", **fields: object) -> Json:
    return ls.add("projects", title="clips", label_config=CONFIG, expert_instruction=text, **fields)


def test_six_lines_in_the_words_of_the_interface() -> None:
    text = instructions(OURS)
    assert re.findall(r"<li><b>(.*?):</b>", text) == [
        "Accept", "Move an end", "Move a box", "Ask again", "Draw and follow", "Absent",
    ]  # fmt: skip
    assert "end of Match" in text and "then click Target" in text and 'tick "absent"' in text


def test_an_interface_with_other_names_is_told_by_them() -> None:
    config = read_config(RENAMED_CONFIG)
    text = instructions(config)
    assert f"end of {config.timeline_labels[0]}" in text
    bare = '<View><Header value="$query"/><Video name="v" value="$video"/><VideoRectangle name="b" toName="v"/></View>'
    assert re.findall(r"<li><b>(.*?):</b>", instructions(read_config(bare))) == ["Accept", "Move a box", "Absent"]
    odd = video_tube().replace('value="Match"', 'value="&lt;b&gt; &amp; c"')
    assert "end of &lt;b&gt; &amp; c on" in instructions(read_config(odd))


@pytest.mark.parametrize("nothing", ["", "  \n", None])
def test_a_project_without_instructions_gets_ours_once(ls: FakeLabelStudio, nothing: str | None) -> None:
    row = project(ls, nothing)
    assert ensure_instructions(ls.client(), 1, OURS) == ["wrote the instructions for annotators"]
    assert (row["expert_instruction"], row["show_instruction"]) == (instructions(OURS), True)
    ls.changes.clear()
    assert "as they should be" in ensure_instructions(ls.client(), 1, OURS)[0]
    assert ls.changes == []


@pytest.mark.parametrize(
    "text",
    [
        "Mind the dog.",
        instructions(OURS).replace("press Submit.", "press Submit. Mind the dog.", 1),
        instructions(OURS) + "<p>Mind the dog.</p>",
    ],
    ids=["own", "ours edited", "ours with more"],
)
def test_what_a_lead_wrote_stays(ls: FakeLabelStudio, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = project(ls, text)
    for _ in range(2):
        assert ensure_instructions(ls.client(), 1, OURS) == ["the project keeps its own instructions for annotators"]
        monkeypatch.setattr(module, "_lines", lambda config: [("Accept", "a newer text of ours.")])
    assert row["expert_instruction"] == text and ls.changes == []


def test_an_older_text_of_ours_is_renewed_and_stays_hidden_where_it_was(
    ls: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(module, "_lines", lambda config: [("Accept", "an older text & more.")])
        # Label Studio writes entities its own way.
        text = instructions(OURS).replace("&amp; more", "&#38;\n more")
    row = project(ls, text, show_instruction=False)
    assert ensure_instructions(ls.client(), 1, OURS) == ["renewed the instructions for annotators"]
    assert (row["expert_instruction"], row["show_instruction"]) == (instructions(OURS), False)


def test_a_text_of_ones_own_replaces_and_stays(ls: FakeLabelStudio) -> None:
    row = project(ls, "Mind the cat.")
    assert replace_instructions(ls.client(), 1, "Mind the dog.\n")[0].startswith("replaced the instructions")
    assert (row["expert_instruction"], row["show_instruction"]) == ("Mind the dog.", True)
    ls.changes.clear()
    replace_instructions(ls.client(), 1, "Mind the dog.")
    ensure_instructions(ls.client(), 1, OURS)
    assert ls.changes == []
