"""A tiny nomic-bert with random weights: written as GGUF, and computed once more in plain numpy.

The architecture is nomic-embed-text's: no position table but rotations, a gated feed-forward part without biases, norms
behind the sums. What the runtime answers must be what the few lines of numpy here answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np

WORDS: Final = (
    "frost", "byte", "cold", "store", "lease", "notice", "period", "vaccine", "contract", "the", "a", "of", "is", "in",
    "and", "goods", "are", "kept", "below", "degrees", "board", "meets", "on", "mondays", "search", "document", "query",
    "how", "must", "be", "long", "text", "x", ".", ",", "?", ":", "-", "_", "penguins", "south",
)  # fmt: skip
"""Whole words; single letters and digits make up the rest, with and without a word's beginning."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """Sizes and seed; the weights follow from them."""

    dimensions: int = 32
    heads: int = 2
    layers: int = 2
    inner: int = 64
    context: int = 2048
    seed: int = 7
    base: float = 1000.0
    epsilon: float = 1e-12
    vocabulary: tuple[str, ...] = field(
        default=tuple(dict.fromkeys((*SPECIAL, *WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS))))
    )

    def weights(self) -> dict[str, Any]:
        """By GGUF's names, as float32."""
        random = np.random.default_rng(self.seed)
        size, inner = self.dimensions, self.inner

        def matrix(rows: int, columns: int) -> Any:
            return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

        def norm(name: str) -> dict[str, Any]:
            return {
                f"{name}.weight": random.normal(1, 0.1, size).astype(np.float32),
                f"{name}.bias": random.normal(0, 0.1, size).astype(np.float32),
            }

        made = {
            "token_embd.weight": random.normal(0, 1, (len(self.vocabulary), size)).astype(np.float32),
            "token_types.weight": random.normal(0, 0.1, (2, size)).astype(np.float32),
        } | norm("token_embd_norm")
        for layer in range(self.layers):
            at = f"blk.{layer}."
            made |= {
                f"{at}attn_qkv.weight": matrix(3 * size, size),
                f"{at}attn_output.weight": matrix(size, size),
                f"{at}ffn_up.weight": matrix(inner, size),
                f"{at}ffn_gate.weight": matrix(inner, size),
                f"{at}ffn_down.weight": matrix(size, inner),
            }
            made |= norm(f"{at}attn_output_norm") | norm(f"{at}layer_output_norm")
        return made

    def write(self, path: Path, **changed: Any) -> Path:
        """Write the GGUF file. `changed` replaces parts, for files that are wrong: tokens, types, architecture."""
        architecture = changed.get("architecture", "nomic-bert")
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_name("tiny")
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.dimensions)
        writer.add_feed_forward_length(self.inner)
        writer.add_block_count(self.layers)
        writer.add_head_count(self.heads)
        writer.add_layer_norm_eps(self.epsilon)
        writer.add_causal_attention(False)
        writer.add_pooling_type(changed.get("pooling", gguf.PoolingType.MEAN))
        writer.add_rope_freq_base(self.base)
        writer.add_tokenizer_model(changed.get("tokenizer", "bert"))
        writer.add_token_type_count(2)
        writer.add_token_list(changed.get("tokens", [_gguf_spelling(token) for token in self.vocabulary]))
        writer.add_token_types(changed.get("types", [3 if token in SPECIAL else 1 for token in self.vocabulary]))
        for add, name in (
            (writer.add_bos_token_id, "[CLS]"), (writer.add_sep_token_id, "[SEP]"), (writer.add_eos_token_id, "[SEP]"),
            (writer.add_pad_token_id, "[PAD]"), (writer.add_unk_token_id, "[UNK]"),
        ):  # fmt: skip
            add(self.vocabulary.index(name))
        for name, value in changed.get("weights", self.weights()).items():
            writer.add_tensor(name, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def ids(self, words: str) -> list[int]:
        """Ids of words that are in the vocabulary, apart by blanks, between the marks."""
        found = [self.vocabulary.index(word) for word in words.split()]
        return [self.vocabulary.index("[CLS]"), *found, self.vocabulary.index("[SEP]")]

    def vector(self, ids: list[int]) -> Any:
        """The model's vector of unit length, by plain numpy."""
        w = self.weights()
        x = w["token_embd.weight"][ids] + w["token_types.weight"][0]
        x = self._norm(x, w, "token_embd_norm")
        for layer in range(self.layers):
            at = f"blk.{layer}."
            x = self._norm(x + self._attention(x, w, at), w, f"{at}attn_output_norm")
            gate, up = x @ w[f"{at}ffn_gate.weight"].T, x @ w[f"{at}ffn_up.weight"].T
            inner = gate / (1 + np.exp(-gate)) * up
            x = self._norm(x + inner @ w[f"{at}ffn_down.weight"].T, w, f"{at}layer_output_norm")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _attention(self, x: Any, w: dict[str, Any], at: str) -> Any:
        query, key, value = np.split(x @ w[f"{at}attn_qkv.weight"].T, 3, axis=1)
        wide = self.dimensions // self.heads
        made = []
        for head in range(self.heads):
            part = slice(head * wide, (head + 1) * wide)
            scores = self._turned(query[:, part]) @ self._turned(key[:, part]).T / wide**0.5
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            made.append(scores / scores.sum(axis=1, keepdims=True) @ value[:, part])
        return np.concatenate(made, axis=1) @ w[f"{at}attn_output.weight"].T

    def _turned(self, rows: Any) -> Any:
        """Rotated by position, halves against each other (NeoX)."""
        half = rows.shape[1] // 2
        angle = np.arange(len(rows))[:, None] * self.base ** (-np.arange(half)[None, :] / half)
        left, right = rows[:, :half], rows[:, half:]
        turned = (left * np.cos(angle) - right * np.sin(angle), left * np.sin(angle) + right * np.cos(angle))
        return np.concatenate(turned, axis=1)

    def _norm(self, x: Any, w: dict[str, Any], name: str) -> Any:
        middle = x - x.mean(axis=1, keepdims=True)
        spread = np.sqrt((middle**2).mean(axis=1, keepdims=True) + self.epsilon)
        return middle / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


def _gguf_spelling(token: str) -> str:
    if token in SPECIAL:
        return token
    return token[2:] if token.startswith("##") else f"\u2581{token}"
