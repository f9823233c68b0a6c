"""How a file's sections are declared, read, checked and shown; and the sections that several parts use."""
