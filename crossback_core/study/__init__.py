"""The study of the selection: is the backbone that a score picks a good one?"""
