"""The command `crossback`: words in, words out; what it does lives in the rooms below."""
