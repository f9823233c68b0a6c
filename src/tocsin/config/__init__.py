"""How a file's sections are declared, read, checked and shown, and the sections that more than one part of
the program uses."""
