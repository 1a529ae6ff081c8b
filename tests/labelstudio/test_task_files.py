"""Task files: which kind they are, what each record lacks, and where that stands in the file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_checks import CheckedFile, Placed, check_file, further_keys, names
from backend.labelstudio.task_files import read_task_file
from stvg_core.errors import StvgError, VideoError
from stvg_core.text import TextError
from stvg_core.tube import VideoInfo
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG

OURS, THEIRS = read_config(CONFIG), read_config(RENAMED_CONFIG)
NESTED_CONFIG = CONFIG.replace("$video", "$media.url").replace("$fps", "$media.fps")
NESTED = read_config(NESTED_CONFIG)


def written(tmp_path: Path, content: Any, name: str = "tasks.json", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode(encoding))
    return path


def place(video: str) -> Placed:
    if video.startswith("gone"):
        raise PayloadError(f"There is no video {video}.")
    return Placed(f"/data/{video}")


def look(where: Placed) -> VideoInfo | None:
    if "text" in where.address:
        raise VideoError("not a video.")
    return None if "://" in where.address else VideoInfo(where.address, 320, 240, 25, 1, 50, 2.0)


def checked(path: Path, config: LabelConfig = OURS, xml: str = CONFIG, encoding: str | None = None) -> CheckedFile:
    found = read_task_file(path, names(config), encoding=encoding)
    return check_file(found, config, further=further_keys(xml, config), place=place, look=look)


def good(path: Path, config: LabelConfig = OURS, **more: Any) -> list[dict[str, Any]]:
    result = checked(path, config, **more)
    assert result.listing() == []
    return result.tasks


TWO = [
    {"video": "/data/a.mp4", "query": "the man", "fps": 25.0},
    {"video": "/data/b.mp4", "query": "a dog", "fps": 25.0},
]


@pytest.mark.parametrize(
    "content",
    [
        '[{"video": " a.mp4 ", "query": "the man"}, {"data": {"video": "b.mp4", "caption": "a  dog "}}]',
        '{"video": "a.mp4", "query": "the man"}\n\n{"data": {"video": "b.mp4", "sentence": "a dog"}}\n',
        '{"video": "a.mp4", "query": "the man"}\r\n{"video": "b.mp4", "query": "a dog"}',
        "video,query\na.mp4,the man\nb.mp4,a dog\n",
        "query;video\r\nthe man;a.mp4\r\n\r\na dog;b.mp4\r\n",
        "Video\tSentence\na.mp4\tthe man\nb.mp4\ta dog",
        '"video","query",\n"a.mp4","the man",\nb.mp4,a dog,\n',
    ],
)
@pytest.mark.parametrize("name", ["tasks.json", "tasks.csv", "tasks"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_kind_is_told_by_the_content(tmp_path: Path, content: str, name: str, mark: str) -> None:
    assert good(written(tmp_path, mark + content, name)) == TWO


def test_a_table_that_is_called_json_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r"neither a JSON list nor JSON lines .* line 1 is not JSON"):
        read_task_file(written(tmp_path, "video,query\na.mp4,x\n", "tasks.jsonl"), names(OURS))


def test_the_interfaces_own_keys_are_used(tmp_path: Path) -> None:
    path = written(tmp_path, [{"video": "a.mp4", "query": "the man", "id": 4}])
    assert good(path, THEIRS, xml=RENAMED_CONFIG)[0] | {"fps": 25} == {
        "movie": "/data/a.mp4", "sentence": "the man", "id": 4, "rate": 25, "fps": 25,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        [{"media": {"url": "a.mp4", "owner": "x"}, "query": "the man"}],
        [{"media.url": "a.mp4", "media": {"owner": "x"}, "query": "the man"}],
        [{"video": "a.mp4", "media": {"owner": "x"}, "query": "the man"}],
    ],
)
def test_nested_keys_are_read_and_written(tmp_path: Path, content: Any) -> None:
    assert good(written(tmp_path, content), NESTED, xml=NESTED_CONFIG) == [
        {"media": {"url": "/data/a.mp4", "owner": "x", "fps": 25.0}, "query": "the man"}
    ]


def test_a_column_with_a_dotted_name_is_nested(tmp_path: Path) -> None:
    path = written(tmp_path, "media.url,query\na.mp4,the man\n", "t.csv")
    assert good(path, NESTED, xml=NESTED_CONFIG) == [{"media": {"url": "/data/a.mp4", "fps": 25.0}, "query": "the man"}]


def test_a_column_or_value_may_be_called_data(tmp_path: Path) -> None:
    table = written(tmp_path, "video,query,data\na.mp4,the man,2020\n", "t.csv")
    assert good(table)[0] == TWO[0] | {"data": "2020"}
    assert good(written(tmp_path, [{"video": "a.mp4", "query": "the man", "data": 7}]))[0] == TWO[0] | {"data": 7}


def test_a_frame_rate_without_room_is_a_problem(tmp_path: Path) -> None:
    xml = CONFIG.replace("$fps", "$media.fps")
    tasks = [{"video": "a", "query": "x", "media": "b"}, {"video": "a", "query": "y"}]
    result = checked(written(tmp_path, tasks), read_config(xml), xml)
    [said] = result.listing()
    assert said.startswith('record 1: "media.fps" cannot be written into the task')
    assert result.tasks[0]["media"] == {"fps": 25.0}


def test_the_frame_rate_of_the_file_gives_way_to_the_videos(tmp_path: Path) -> None:
    assert good(written(tmp_path, [{"video": "a", "query": "x", "fps": "24"}]))[0]["fps"] == 25.0


BAD = [
    {"query": "x"},
    {"video": "a.mp4", "query": " \u200b"},
    {"video": 7, "query": ["x"]},
    "a.mp4",
    {"data": "a.mp4"},
    {"video": "a.mp4", "query": "fine"},
    {"video": "gone.mp4", "query": "x"},
    {"video": "text.mp4", "query": "x"},
    {"video": "a.mp4", "query": "  fine "},
    {"video": "", "query": None},
    {"video": "gone.mp4", "query": "y"},
    {"video": "a.mp4", "query": "word " * 900},
]
SAID = [
    'record 1: has no "video"; it has "query"',
    "record 2: The query is empty.",
    'record 3: has a "video" that is a number, not text',
    'record 3: has a "query" that is a list, not text',
    "record 4: is no object",
    'record 5: has a "data" that is no object',
    "records 7, 11: There is no video gone.mp4.",
    "record 8: not a video.",
    "record 9: has the same video and sentence as record 6",
    'record 10: has an empty "video"',
    'record 10: has no "query" or "caption" or "sentence"; it has "video", "query"',
    "record 12: The query has 4500 characters",
]


def test_every_problem_is_listed_with_its_number(tmp_path: Path) -> None:
    result = checked(written(tmp_path, BAD))
    listing = result.listing()
    for expected in SAID:
        assert any(line.startswith(expected[:40]) for line in listing), (expected, listing)
    assert len(listing) == len(SAID)
    assert result.bad == 11 and [task["query"] for task in result.tasks] == ["fine"]


def test_json_lines_name_the_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"video": "a.mp4", "query": "x"}),
        "",
        '{"video": "a.mp4", "query": ',
        '{"video": "a.mp4", "query": "y", "query": "z"}',
        '{"video": "b.mp4", "query": "x", "fps": NaN}',
        '{"video": "b.mp4", "query": "y", "n": {"deep": [1e999]}}',
        '{"video": "b.mp4", "query": "half \\ud800"}',
        "[" * 5000,
        '{"video": "b.mp4", "query": "z", "n": ' + "9" * 5000 + "}",
        json.dumps({"video": "a.mp4", "query": "x"}),
    ]
    listing = checked(written(tmp_path, "\n".join(lines), "t.jsonl")).listing()
    assert [line.split(":")[0] for line in listing] == [
        "line 3 (record 2)", "line 4 (record 3)", "line 5 (record 4)", "line 6 (record 5)", "line 7 (record 6)",
        "line 8 (record 7)", "line 9 (record 8)", "line 10 (record 9)",
    ]  # fmt: skip
    for line, said in zip(
        listing,
        ("not JSON", '"query" twice', "NaN", "too large", "half of a character", "too deeply", "thousands of digits",
         "same video and sentence as line 1 (record 1)"),
        strict=True,
    ):  # fmt: skip
        assert said in line


def test_a_list_is_checked_for_the_same(tmp_path: Path) -> None:
    content = '[{"video": "a", "query": "x", "video": "b"}, {"video": "a", "query": "y", "n": -Infinity}]'
    first, second = checked(written(tmp_path, content)).listing()
    assert first == 'record 1: names "video" twice' and second.startswith("record 2: holds -Infinity")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "holds no task"),
        ("", "is empty"),
        (" \n", "is empty"),
        ("video,query\n", "holds no task"),
        ('[{"video": "a", "query": "x"},\n {"video": "b" "query": "y"}]', r"not JSON: line 2, column 16"),
        ('[{"video": "a", "query": "x"}]\n[{"video": "a", "query": "x"}]', "line 2, column 1"),
        ("[" * 100_000, "nested too deeply"),
        ("no json", 'no column "video" and "query".*\'no json\''),
        ("a.mp4,the man\nb.mp4,a dog\n", r"""no column "video" and .*'a.mp4', 'the man'"""),
        ("video,text,fps\na,b,c\n", "no column \"query\" or \"caption\" or \"sentence\".*'video', 'text', 'fps'"),
        ("video,query,note,Note\na,b,c,d\n", "two columns called 'Note', 'note'"),
        ('video,query\na.mp4,"the man\nb.mp4,a dog\n', "row that begins on line 2.*quote"),
        ('video,query\na.mp4,x\nb.mp4,"the "red" dog"\n', "row that begins on line 3.*quote"),
        ("PK\x03\x04....", "spreadsheet"),
    ],
)
def test_what_is_wrong_with_the_whole_file(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        checked(written(tmp_path, content))


def test_rows_of_a_table_are_named_by_record_and_line(tmp_path: Path) -> None:
    rows = [
        "video,query,note",
        "a.mp4,the man, who sits,",
        "b.mp4,x",
        "",
        '"c.mp4","the ""red"" dog",7',
        'd.mp4,"two',
        'e.mp4,sentences",',
        "f.mp4,,",
        "gone.mp4,x,",
        "gone.mp4,y,",
    ]
    result = checked(written(tmp_path, "\n".join(rows), "t.csv"))
    assert [task["query"] for task in result.tasks] == ['the "red" dog'] and result.tasks[0]["note"] == "7"
    assert result.listing() == [
        "line 2 (record 1): has 4 cells, the header has 3: is a sentence with a separator in it without quotes?",
        "line 3 (record 2): has 2 cells, the header has 3",
        'line 6 (record 4): has a line break in "query": is a quote missing?',
        'line 8 (record 5): has an empty "query"',
        "lines 9-10 (records 6-7): There is no video gone.mp4.",
    ]


def test_a_sentence_with_commas_in_a_table_of_semicolons(tmp_path: Path) -> None:
    path = written(tmp_path, "video;query\na.mp4;the man, who sits, and waits\n")
    assert good(path)[0]["query"] == "the man, who sits, and waits"


def test_a_short_row_with_a_comma_in_its_sentence_is_named(tmp_path: Path) -> None:
    """It has as many cells as the header, and half of the sentence would be the note."""
    rows = ["video,query,note", "a.mp4,the man, in red", 'a.mp4,"the dog, in red",x', "a.mp4, the cat, y"]
    result = checked(written(tmp_path, "\n".join(rows), "t.csv"))
    assert result.listing() == [
        """line 2 (record 1): has 'in red' in "note": is a sentence with a comma in it without quotes?"""
    ]
    assert [task["query"] for task in result.tasks] == ["the dog, in red", "the cat"]


def test_other_encodings_are_refused_or_named(tmp_path: Path) -> None:
    path = written(tmp_path, "video;query\na.mp4;das Mädchen\n", "t.csv", "cp1252")
    with pytest.raises(TextError, match=r"line 2 .*--encoding"):
        checked(path)
    assert good(path, encoding="cp1252")[0]["query"] == "das Mädchen"
    assert good(written(tmp_path, "video\tquery\na.mp4\tdas Mädchen\n", "t.txt", "utf-16"))[0]["query"] == "das Mädchen"


def test_keys_without_which_label_studio_refuses_a_task(tmp_path: Path) -> None:
    xml = CONFIG.replace("<View>", '<View><Text name="t" value="$title"/><Image name="i" value="$meta.picture"/>', 1)
    config = read_config(xml)
    assert further_keys(xml, config) == ["title", "meta.picture"]
    tasks = [
        {"video": "a", "query": "x", "title": "t", "meta": {"picture": "p"}},
        {"video": "a", "query": "y", "title": "t", "meta": {}},
        {"video": "a", "query": "z"},
    ]
    assert checked(written(tmp_path, tasks), config, xml).listing() == [
        'records 2-3: has no "meta.picture", which the project\'s interface shows',
        'record 3: has no "title", which the project\'s interface shows',
    ]
    assert further_keys("<View", config) == []


def test_a_video_that_occurs_often_is_looked_at_once(tmp_path: Path) -> None:
    looked: Counter[str] = Counter()

    def counted(where: Placed) -> VideoInfo | None:
        looked[where.address] += 1
        return look(where)

    tasks = [{"video": name, "query": f"q{n}"} for n in range(5) for name in ("a.mp4", "text.mp4", "b.mp4")]
    found = read_task_file(written(tmp_path, tasks), names(OURS))
    result = check_file(found, OURS, further=[], place=place, look=counted)
    assert set(looked.values()) == {1} and len(looked) == 3
    assert result.listing() == ["records 2, 5, 8, 11, 14: not a video."] and len(result.tasks) == 10


def test_what_cannot_be_looked_at_yet_and_labels_that_come_along_are_said(tmp_path: Path) -> None:
    tasks = [{"video": "s3://bucket/a.mp4", "query": "x"}, {"data": {"video": "b", "query": "x"}, "annotations": [{}]}]
    result = checked(written(tmp_path, tasks))
    assert result.unseen == {"/data/s3://bucket/a.mp4"} and result.annotated == 1 and len(result.tasks) == 2
    assert "fps" not in result.tasks[0]


def test_a_missing_task_file_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(StvgError, match="cannot be read"):
            read_task_file(path, names(OURS))
