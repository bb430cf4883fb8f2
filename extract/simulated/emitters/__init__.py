"""How each source system tells the world's events: one module a system, one sheet a file.

An emitter turns the world into sheets. A sheet is records in the source's own columns, and how to write them; what
goes wrong in feeds is done in between, to the records, or afterwards, to the bytes.
"""
