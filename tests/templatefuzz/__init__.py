"""Templates made by chance, rendered here and by the real ``amtool template render``: to the same bytes."""
