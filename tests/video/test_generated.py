"""Random files: every picture that the reader gives is the one that in-order decoding gives there.

``make test`` reads a fixed few; set STVG_FUZZ_FILES and STVG_FUZZ_SEED (the first seed) for more.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.video import VideoReader, decoding, iter_frames, probe, read_frames
from tests.video.generated import decoded_in_order, make, read_number
from tests.video.recipes import recipe

FILES = int(os.environ.get("STVG_FUZZ_FILES", "40"))
FIRST = int(os.environ.get("STVG_FUZZ_SEED", "0"))
FOUND = (
    # Refused: VP9 that begins between two key frames. A decoder refused all that came after.
    *(180547976, 180548435, 180548505),
    # Read wrongly: gradual refresh was followed from one edit into the next.
    111000901,
    # More frames than players show: where a second edit begins, the decoder lost pictures that have times.
    *(50002650, 50005183, 50075279, 50103430),
    # What begins within a gradual refresh: players show no picture of the first three, all but three of the last.
    *(900001440, 15001855, 60018019, 698730815),
    # An edit whose last picture is shorter than an edit list can say.
    900000549,
    # Copies that cannot be written from every packet on: decoding times are missing or go back.
    *(900001141, 520000115, 111000935),
    # Pictures that the encoder mixed.
    60004030,
    # A single picture, for which x265 left the decoding time unset.
    310000340,
)
"""Seeds that failed once, of the product or of the making."""


@pytest.mark.parametrize("seed", [*range(FIRST, FIRST + FILES), *FOUND])
def test_every_picture_is_the_one_that_is_shown_there(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    if seed % 2:  # such small pictures are decoded in one thread else
        monkeypatch.setattr(decoding, "_WORTH_THREADS", 0)
    made = make(recipe(seed), tmp_path)
    reference = decoded_in_order(made.path)
    numbers = [read_number(picture) for picture in reference]
    # FFmpeg itself leaves out or breaks pictures where a later edit begins within a group: there decoding is the truth.
    if made.numbers is not None and made.recipe.change != "edits":
        assert numbers == made.numbers, "the file is not what it was made to be"
    if not reference:  # a file that no player shows a picture of is refused
        begins_within = made.recipe.change in ("edit", "edits", "late")
        assert begins_within and made.recipe.refreshes, "the file lacks what it was made of"
        with pytest.raises(VideoError, match=r"No picture of \S+ can be decoded"):
            probe(made.path)
        return
    rng = random.Random(seed)
    info = probe(made.path)
    assert info.n_frames == len(reference)

    def same(index: int, picture: np.ndarray) -> None:
        assert read_number(picture) == numbers[index], f"frame {index} shows {read_number(picture)}"
        np.testing.assert_array_equal(picture, reference[index])

    wanted = np.array([rng.randrange(info.n_frames) for _ in range(20)])
    for index, picture in zip(wanted, read_frames(info, wanted).pixels, strict=True):
        same(int(index), picture)
    for index in wanted[:4]:
        same(int(index), read_frames(info, np.array([index])).pixels[0])
    every = [(index, read_number(picture)) for index, picture in iter_frames(info)]
    assert every == list(enumerate(numbers))
    with VideoReader(info, kept_bytes=rng.choice([0, 50_000, 1 << 30])) as reader:
        for index in wanted[:8]:
            same(int(index), reader.read(np.array([index])).pixels[0])
        for index, picture in reader.stream(np.arange(info.n_frames)[::-1]):
            same(index, picture)
        assert reader.info == info, "nothing is damaged"
