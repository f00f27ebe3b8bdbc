# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""From Python source to the English sentences in its docstrings."""

import ast
import inspect
import re

# Sections of a numpydoc docstring that hold tables, code or references, not prose.
_TABLE_SECTIONS = {
    "attributes",
    "examples",
    "keyword arguments",
    "methods",
    "other parameters",
    "parameters",
    "raises",
    "receives",
    "references",
    "returns",
    "routine listings",
    "see also",
    "warns",
    "yields",
}
_UNDERLINE = re.compile(r"([=\-~^*#\"'+`.])\1{2,}")
# What opens a paragraph that is no prose: doctests, directives, fields, lists, tables.
_NOT_PROSE = re.compile(r">>>|\.\.\s|\.\. *$|[:|+#@%{}\\<]|[-*+•]\s|\(?[\w]{1,3}[.)]\s")

_ROLE = re.compile(r":[\w:+-]+:`~?!?([^`<>]+?)(?:\s*<[^`]*>)?`")
_LITERAL = re.compile(r"``([^`]+)``")
_LINK = re.compile(r"`([^`<>]+?)(?:\s*<[^`]*>)?`_{0,2}")
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([A-Za-z][^*]*?)\*{1,2}(?![\w*])")
_REFERENCE = re.compile(r"\b([A-Za-z]+)__?(?=[\s.,;)])")

_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|cf|vs|resp|approx|al|fig|figs|eq|eqs|sec|ch|no|vol|pp|ed|eds|ref"
    r"|dr|prof|st|etc|incl|viz|wrt|w\.r\.t|[A-Z])\.$",
    flags=re.IGNORECASE,
)
_BOUNDARY = re.compile(r"(?<=[.!?])[\"')]*\s+")

_SENTENCE = re.compile(r"[A-Z][A-Za-z0-9 ,;:.!?'\"()\[\]%/&-]*[a-z0-9)\"'\]%][.!?]")
_CODE_LIKE = re.compile(
    r"[A-Za-z0-9)\]](?<![ (][ei])\.[A-Za-z]"  # attributes, file names; not e.g., i.e.
    r"|\w\(|\w\["  # calls and subscripts
    r"|\b\w*[a-z][A-Z]\w*"  # camel case
    r"|/\w*/|//"  # paths
    r"|--|\s-\s\d|\s[,;:.!?)]|\(\s"  # and the holes that markup leaves
    r"|\b(?:http|www|arXiv|doi|ISBN|TODO|FIXME|XXX|Copyright|License)\b"
)
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_FUNCTION_WORDS = frozenset(
    "a an and any are as at be been but by can do does for from has have if in into is"
    " it its may must no not of on only or other same should so such than that the"
    " their them then these they this those to used was we when where which will with"
    " you your".split()
)


def docstrings(source):
    """Yield the docstrings in Python source, in the order of their lines.

    Parameters
    ----------
    source : bytes
        A Python file. One that cannot be parsed holds none.

    Yields
    ------
    str
        The docstring of a module, class or function, or a text that the source hands
        to a function called ``add_newdoc`` or ``add_docstr`` (extension modules are
        documented that way), without indentation.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # templates, other versions' syntax, null bytes
        return
    for node in _statements(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Expr) and _adds_docstring(node.value):
            yield from _string_arguments(node.value)


def _statements(node):
    """`node` and the statements in it, in the order of the source."""
    yield node
    for field in ("body", "handlers", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            yield from _statements(child)


def _adds_docstring(node):
    function = getattr(node, "func", None)
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name.lstrip("_").startswith(("add_newdoc", "add_docstr"))


def _string_arguments(call):
    return [
        inspect.cleandoc(node.value)
        for argument in call.args
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "\n" in node.value
    ]


def paragraphs(docstring):
    """Yield the prose paragraphs of a docstring, each on one line.

    Whatever is indented, listed, tabulated, underlined or in a section of tables is
    left out.
    """
    section = None
    for block in re.split(r"\n[ \t]*\n", docstring):
        lines = block.strip("\n").split("\n")
        if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()):
            section, lines = lines[0].strip().lower(), lines[2:]
        if not lines or section in _TABLE_SECTIONS:
            continue
        if any(line[:1].isspace() or _NOT_PROSE.match(line) for line in lines):
            continue
        if any(_UNDERLINE.fullmatch(line.strip()) for line in lines):
            continue
        yield " ".join(line.strip() for line in lines)


def plain(text):
    """`text` without reStructuredText's inline markup; footnotes stay."""
    for pattern in (_ROLE, _LITERAL, _LINK, _EMPHASIS, _REFERENCE):
        text = pattern.sub(r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def split_sentences(text):
    """Cut a paragraph into sentences; abbreviations end none."""
    sentences, start = [], 0
    for match in _BOUNDARY.finditer(text):
        if not _ABBREVIATION.search(text[start : match.start()]):
            sentences.append(text[start : match.end()].strip())
            start = match.end()
    return [*sentences, text[start:].strip()]


def is_english(sentence, min_words, max_words):
    """Whether `sentence` reads as an English sentence of the length asked for.

    It opens with a capital, ends with a full stop, question or exclamation mark, holds
    nothing that looks like code, and has its share of the words that English sentences
    are held together by.
    """
    if not _SENTENCE.fullmatch(sentence) or _CODE_LIKE.search(sentence):
        return False
    if sentence.count("(") != sentence.count(")") or sentence.count('"') % 2:
        return False
    tokens = sentence.split()
    words = _WORD.findall(sentence)
    if not min_words <= len(tokens) <= max_words or len(words) < 0.8 * len(tokens):
        return False
    return sum(word.lower() in _FUNCTION_WORDS for word in words) >= 2
