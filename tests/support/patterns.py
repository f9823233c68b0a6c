"""Regular expressions for property-based tests: what people write, and what nobody does."""

from __future__ import annotations

from hypothesis import strategies as st

_ATOMS = (
    *("a", "b", "ab", "k", "é", ".", "\\.", "\\d", "\\W", "\\pL", "\\PN", "[a-c]", "[^a]", "[[:alpha:]]"),
    *("", "^", "$", "\\b", "(?i)", "(?s)", "\\Q", "\\Qa.b\\E", "\\E", "a)|(?:b", ")", "(", "|", "x{2}", "\n"),
)
_QUANTIFIERS = ("", "", "*", "+", "?", "{3}", "{2,}", "{0,4}", "{,2}", "*?")


def patterns() -> st.SearchStrategy[str]:
    """Mostly well formed, and nested."""
    atom = st.builds(str.__add__, st.sampled_from(_ATOMS), st.sampled_from(_QUANTIFIERS))
    return st.recursive(
        atom,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map("".join),
            st.lists(inner, max_size=4).map("|".join),
            st.builds(lambda text, sign: f"({text}){sign}", inner, st.sampled_from(_QUANTIFIERS)),
            st.builds(lambda text: f"(?P<n>{text})", inner),
        ),
        max_leaves=8,
    )
