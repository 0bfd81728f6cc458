"""Things to run and to read; each is run by CI."""
