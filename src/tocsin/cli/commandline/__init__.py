"""Command lines as data: a command's flags and arguments are declared once, for parser, help, manual and
completions."""
