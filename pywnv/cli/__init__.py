"""The command line: arguments in, a call of the library, words out."""
