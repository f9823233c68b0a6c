"""Command lines as data: what a command takes is said once; parser, help, manual and completions follow."""
