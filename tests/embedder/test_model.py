"""The model's vectors are right, and a file that is not a model is refused in words before the runtime sees it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.adapters.embeddings.gguf import Model, load, read_header
from frostbyte.adapters.embeddings.gguf.model import CHARACTERS_A_TOKEN, ModelFailed, unit
from frostbyte.kernel.errors import Invalid
from servers.tiny_model import TinyModel

TEXTS = ("frost byte", "the cold store is in the south .", "x", "lease " * 300, "notice period of the contract ?")


@pytest.mark.parametrize("text", TEXTS)
def test_vectors_are_those_of_plain_numpy(text: str, tiny: TinyModel, model: Model) -> None:
    ids = model.tokens(text)
    assert ids == tiny.ids(text)
    for lane in model.lanes:
        [vector] = lane.embed([ids])
        assert float(vector @ tiny.vector(ids)) >= 0.999
        assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours(tiny: TinyModel, model: Model) -> None:
    texts = [tiny.ids(text) for text in TEXTS]
    together = model.lanes[0].embed(texts)
    for ids, row in zip(texts, together, strict=True):
        assert model.lanes[0].embed([ids])[0].tolist() == row.tolist()


@pytest.mark.parametrize(
    "text",
    ["Frost, BYTE: 123.", "Kündigungsfrist", "naïve café", "日本 frost", "a\u200bb\x00c", "", "  \n\t ", "🧊 frost"],
)
def test_texts_are_cut_as_the_runtime_cuts_them(text: str, model: Model) -> None:
    """Our tokenizer and the runtime's own agree, so what is counted is what is read."""
    lane = model.lanes[0]
    said = lane._server.handle_embeddings({"input": [text], "encoding_format": "float"})
    ids = model.tokens(text)
    assert ids is not None
    assert said["usage"]["prompt_tokens"] == len(ids)
    assert float(np.array(said["data"][0]["embedding"]) @ lane.embed([ids])[0]) > 0.9999


def test_the_longest_text_is_read_and_one_token_more_is_not(tiny_file: Path) -> None:
    short = load(tiny_file, longest=32)
    assert short.longest == 32
    longest = short.tokens("frost " * 30)
    assert longest is not None
    assert short.lanes[0].embed([longest]).shape == (1, 32)
    assert short.tokens("frost " * 31) is None
    assert short.tokens(" " * (32 * CHARACTERS_A_TOKEN + 1)) is None
    assert load(tiny_file, longest=8192).longest == TinyModel().context


def test_a_changed_file_is_refused(tiny_file: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(tiny_file.read_bytes()).hexdigest()
    assert load(tiny_file, sha256=sha256.upper()).sha256 == sha256
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(tiny_file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(Invalid) as refused:
        load(changed, sha256=sha256)
    assert refused.value.code == "model_changed"


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "another architecture": {"architecture": "llama"},
    "another pooling": {"pooling": gguf.PoolingType.CLS},
    "another vocabulary": {"tokenizer": "gpt2"},
    "a piece twice": {"tokens": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581a", "\u2581a"], "types": [3] * 6},
    "fewer types than pieces": {"types": [1, 1]},
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_another_kind_of_model_is_refused(name: str, tiny: TinyModel, tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "other.gguf", **UNSUPPORTED[name])
    with pytest.raises(Invalid) as refused:
        load(file)
    assert refused.value.code == "model_unsupported"
    assert refused.value.remedy


def test_a_file_that_is_cut_off_or_missing_is_refused(tiny_file: Path, tmp_path: Path) -> None:
    whole = tiny_file.read_bytes()
    for number, data in enumerate((b"", b"GGUF", whole[:100], whole[:2000], b"PK\x03\x04" + whole, b"\x00" * 4096)):
        file = tmp_path / f"{number}.gguf"
        file.write_bytes(data)
        with pytest.raises(Invalid) as refused:
            load(file)
        assert refused.value.code == "model_unreadable"
    with pytest.raises(Invalid):
        load(tmp_path / "none.gguf")


def test_weights_that_are_cut_off_are_refused_by_the_process_that_loads_them(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(tiny_file.read_bytes()[:-4096])
    code = "from frostbyte.adapters.embeddings.gguf import load; import pathlib, sys; load(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "the runtime cannot load the rest" in done.stderr


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 3000), to=st.binary(min_size=1, max_size=12))
def test_a_damaged_header_is_read_or_refused_but_never_more(at: int, to: bytes, tiny_file: Path) -> None:
    """Whatever stands in the header: a header, or one of our two errors; no hang, and no memory for lengths."""
    whole = tiny_file.read_bytes()
    file = tiny_file.with_name("damaged.gguf")
    file.write_bytes(whole[:at] + to + whole[at + len(to) :])
    try:
        header = read_header(file)
    except Invalid as error:
        header, code = None, error.code
    assert (
        (header.dimensions > 0 and header.context > 2) if header else code in ("model_unreadable", "model_unsupported")
    )


@pytest.mark.parametrize("value", [0.0, 1e-12, float("nan"), float("inf")])
def test_a_vector_that_means_nothing_is_an_error(value: float) -> None:
    with pytest.raises(ModelFailed):
        unit(np.array([[1.0, 1.0], [value, value]], dtype=np.float32))


def test_weights_that_give_no_number_do_not_start(tiny: TinyModel, tmp_path: Path) -> None:
    weights = tiny.weights()
    weights["token_embd.weight"] = np.full_like(weights["token_embd.weight"], np.nan)
    with pytest.raises(ModelFailed):
        load(tiny.write(tmp_path / "nan.gguf", weights=weights))
