"""Tables, as Go's text/tabwriter aligns them."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.client.tables import align, rows


def test_columns_are_as_wide_as_their_longest_cell_and_two() -> None:
    assert rows(("A", "Long"), [("xyz", ""), ("", "y")]) == "A    Long  \nxyz        \n     y     \n"


def test_what_follows_the_last_tab_is_no_cell() -> None:
    assert align("a\tb\nccc\td\n") == "a    b\nccc  d\n"


def test_a_line_without_cells_ends_the_columns() -> None:
    assert align("a\tb\t\n\nccc\td\t\n") == "a  b  \n\nccc  d  \n"


def test_a_cell_with_more_lines_ends_its_column() -> None:
    # As amtool shows a comment of two lines, of which the first holds a tab.
    assert align("id\tone\ttwo\nlast\t\nother\tx\t\n") == "id     one  two\nlast   \nother  x  \n"


words = st.text(st.characters(exclude_characters="\t\n\v\f", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(words, min_size=2, max_size=2), max_size=6))
def test_nothing_is_lost(body: list[list[str]]) -> None:
    lines = rows(("A", "B"), body).split("\n")
    assert lines.pop() == ""
    width = max(len(row[0]) for row in [["A", "B"], *body]) + 2
    assert len({len(line) for line in lines}) == 1
    for line, row in zip(lines, [["A", "B"], *body], strict=True):
        assert line[:width] == row[0].ljust(width)
        assert line[width:].rstrip(" ") == row[1].rstrip(" ")
