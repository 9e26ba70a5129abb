"""Rule files: read, checked and compiled; their examples run every time they are loaded.

Three TOML files (see `rules/`), each a list of `[[rule]]` tables with the fields of the classes below. A file is
refused as a whole if it cannot be read, a pattern does not compile or could take more than linear time in an obvious
way (an unbounded repeat inside an unbounded repeat), a name is unknown, or an example is judged other than it says.
"""

from __future__ import annotations

import hashlib
import re
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, structs

from frostbyte.data_plane.policy import wording
from frostbyte.data_plane.policy.checks import CHECKS
from frostbyte.data_plane.policy.class_reading import Vocabulary, term_problem
from frostbyte.data_plane.policy.class_rules import LABELS as LABELS
from frostbyte.data_plane.policy.class_rules import (
    ClassExample,
    ClassFile,
    ClassRule,
    ClassSettings,
    lonely,
    unknown_label,
)
from frostbyte.data_plane.policy.injection_rules import InjectionFile, InjectionRule, InjectionRules
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tenancy import PiiType, Ratio

FILES: Final = ("pii.toml", "injection.toml", "classification.toml")

T = TypeVar("T")
_Id = Annotated[str, Meta(pattern="^[a-z0-9_]{2,60}$")]


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    id: _Id
    languages: tuple[str, ...] = ()
    """For people: which languages it is written for; empty means any."""


class PiiRule(_Rule, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Finds one type of personal data. Examples mark the expected value «like this»."""

    type: PiiType
    pattern: str
    """The group `value`, if there is one, is what is found; else the whole match."""
    check: str = ""
    """A name in checks.CHECKS that the value must pass, or ''."""
    confidence: Ratio
    context: tuple[str, ...] = ()
    """Labels of which one must stand shortly before, directly behind, or in the column's head. Empty: not asked."""
    before: Annotated[int, Meta(ge=1, le=120)] = 70
    """How many characters before the value its label may start."""
    unless: tuple[str, ...] = ()
    """Labels of something else (an order number): directly before the value they take it away, as other types' do."""
    sure: bool = False
    """Whether pattern and check decide alone, whatever label stands there."""
    digits: Annotated[int, Meta(ge=0, le=40)] = 0
    """Least digits of any value, at most three other characters apart: text without them is passed over. 0: unknown."""
    needs: tuple[str, ...] = ()
    """Strings of which every value, or what its pattern asks around it, holds one: text without is passed over."""
    joined: bool = False
    """Whether a value that a line end or a cell border cuts is looked for too."""
    positive: Annotated[tuple[str, ...], Meta(min_length=1)]
    negative: Annotated[tuple[str, ...], Meta(min_length=1)]

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern)

    def may_stand(self, text: str) -> bool:
        """Whether `needs` allows a value in the text."""
        if self._needed is not None:
            return self._needed.search(text) is not None
        return not self.needs or any(map(text.__contains__, self.needs))

    @cached_property
    def _needed(self) -> re.Pattern[str] | None:
        """`needs` as one pattern, where all begin with a sign: signs are few, and one search is faster than many."""
        signs = len(self.needs) > 4 and not any(need[0].isalnum() or need[0].isspace() for need in self.needs)
        return re.compile("|".join(map(re.escape, self.needs))) if signs else None


class _PiiFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    unless: tuple[str, ...] = ()
    """Labels that take a value away from every rule but those that are `sure`."""
    rule: Annotated[tuple[PiiRule, ...], Meta(min_length=1)]


@dataclass(frozen=True)
class RuleSet:
    """All rules of a plane, compiled and proven by their examples."""

    pii: tuple[PiiRule, ...]
    injection: InjectionRules
    classes: tuple[ClassRule, ...]
    class_settings: ClassSettings
    class_examples: tuple[ClassExample, ...]
    class_vocabulary: Vocabulary
    """All terms of `classes`, ready to be looked for."""
    version: str
    """Twelve hex digits of the SHA-256 over the files and the model of wordings; part of the generation."""
    folder: Path | None = None

    @staticmethod
    def load(folder: Path | None = None, *, proven: str = "") -> RuleSet:
        """The shipped rules, with the files that `folder` holds in place of the shipped ones.

        Args:
            proven: a version whose examples have run elsewhere on this code: they do not run again for the same files.

        Raises:
            Invalid: `rules_invalid`, naming the file and the rule.
        """
        sources = {name: _source(name, folder) for name in FILES}
        digest = hashlib.sha256()
        for name, data in sources.items():
            digest.update(f"{name} {len(data)}\n".encode() + data)
        digest.update(b"".join(wording.sources()))
        try:
            version = digest.hexdigest()[:12]
            return _built(sources, version, folder, examples_too=version != proven)
        except Invalid as error:
            raise _with_line(error, sources) from error

    def reload(self) -> RuleSet:
        """A new set from the same folder; self stays valid and in use if that raises.

        Raises:
            Invalid: `rules_invalid`, naming the file and the rule.
        """
        return RuleSet.load(self.folder)


class RuleBook:
    """Holds the rules in force: call it to get them; a reload that fails changes nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        self._rules = RuleSet.load(folder)
        self._lock = threading.Lock()

    def __call__(self) -> RuleSet:
        """The rules in force."""
        return self._rules

    def reload(self) -> RuleSet:
        """Read the files again and switch to them.

        Raises:
            Invalid: `rules_invalid`; the old rules stay in force.
        """
        with self._lock:
            self._rules = self._rules.reload()
            return self._rules


def invalid(file: str, rule: str, why: str) -> Invalid:
    """The error for a bad rule file."""
    place = f"{file}, rule {rule}" if rule else file
    return Invalid(
        "rules_invalid",
        f"The policy rules in {place} are not valid: {why}.",
        "Correct the file; the old rules stay in force.",
    )


def _built(sources: Mapping[str, bytes], version: str, folder: Path | None, *, examples_too: bool) -> RuleSet:
    pii = _convert("pii.toml", sources["pii.toml"], _PiiFile)
    injection = _injection_rules(_convert("injection.toml", sources["injection.toml"], InjectionFile))
    classes = _class_file(sources["classification.toml"])
    rules = RuleSet(
        pii=tuple(structs.replace(rule, unless=(*rule.unless, *pii.unless)) for rule in pii.rule),
        injection=injection,
        classes=classes.rule,
        class_settings=classes.settings,
        class_examples=classes.example,
        class_vocabulary=Vocabulary(classes.rule),
        version=version,
        folder=folder,
    )
    _check_static(rules)
    if not examples_too:
        return rules
    # The examples need the matchers, which need these types: imported here to keep the import graph a tree.
    from frostbyte.data_plane.policy import examples

    examples.run(rules)
    return rules


def _with_line(error: Invalid, sources: Mapping[str, bytes]) -> Invalid:
    """The error with the line on which the rule begins that it names."""
    named = re.search(r"in (\S+\.toml), rule (\w+) are", error.message)
    if named is None or named[1] not in sources:
        return error
    lines = sources[named[1]].decode(errors="replace").splitlines()
    written = re.compile(rf"id\s*=\s*[\"']{named[2]}[\"']")
    for number, line in enumerate(lines, 1):
        if written.match(line):
            place = f"rule {named[2]} (line {number}) are"
            return Invalid(error.code, error.message.replace(f"rule {named[2]} are", place, 1), error.remedy)
    return error


def _source(name: str, folder: Path | None) -> bytes:
    if folder is not None and (folder / name).is_file():
        return (folder / name).read_bytes()
    return files("frostbyte.data_plane.policy.rules").joinpath(name).read_bytes()


def _convert(file: str, data: bytes, type_: type[T]) -> T:
    try:
        values: dict[str, Any] = tomllib.loads(data.decode())
        return msgspec.convert(values, type_)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise invalid(file, "", f"it is no TOML ({error})") from error
    except msgspec.ValidationError as error:
        found = re.search(r"rule\[(\d+)\]", str(error))
        rule = str(values["rule"][int(found.group(1))].get("id", found.group(1))) if found else ""
        raise invalid(file, rule, str(error)) from error


def _injection_rules(file: InjectionFile) -> InjectionRules:
    try:
        return InjectionRules.of(file, wording.Wording.shipped())
    except KeyError as error:
        rule, _, why = str(error.args[0]).partition(": ")
        raise invalid("injection.toml", rule, why) from error


def _class_file(data: bytes) -> ClassFile:
    """Checked before anything is built of it."""
    file = _convert("classification.toml", data, ClassFile)
    for rule in file.rule:
        if problem := term_problem(rule):
            raise invalid("classification.toml", rule.id, problem)
    if rule_id := lonely(file):
        raise invalid("classification.toml", rule_id, "it counts beside a rule that does not exist or has a beside too")
    if unknown := unknown_label(file):
        raise invalid("classification.toml", unknown[0], f"there is no class {unknown[1]}")
    return file


def _check_static(rules: RuleSet) -> None:
    groups: tuple[tuple[str, Sequence[Any]], ...] = (
        ("pii.toml", rules.pii),
        ("injection.toml", rules.injection.everything),
        ("classification.toml", rules.classes),
    )
    for file, members in groups:
        seen: set[str] = set()
        for rule in members:
            if rule.id in seen:
                raise invalid(file, rule.id, "its id is used twice")
            seen.add(rule.id)
            try:
                trees = [_parser.parse(pattern.pattern) for pattern in _patterns(rule)]
            except (re.error, RecursionError, OverflowError) as error:
                raise invalid(file, rule.id, f"the pattern does not compile ({error})") from error
            if any(_nested(tree) for tree in trees):
                raise invalid(file, rule.id, "the pattern has an unbounded repeat inside an unbounded repeat")
    for pii in rules.pii:
        if pii.check and pii.check not in CHECKS:
            raise invalid("pii.toml", pii.id, f"there is no check {pii.check}")


def _patterns(rule: Any) -> list[re.Pattern[str]]:
    against = rule.unless_regex if isinstance(rule, InjectionRule) else None
    return [rule.regex, against] if against is not None else [rule.regex]


def _nested(tree: Any, inside: bool = False) -> bool:
    """Whether an unbounded repeat lies inside another: the shape of exponential backtracking."""
    for op, argument in tree:
        unbounded = op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT) and argument[1] == _constants.MAXREPEAT
        if unbounded and inside:
            return True
        if any(_nested(child, inside or unbounded) for child in _children(argument)):
            return True
    return False


def _children(argument: Any) -> Iterator[Any]:
    """The sub-patterns in a parsed node's argument."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _children(item)
