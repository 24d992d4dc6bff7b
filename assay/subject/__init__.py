"""What `assay compare` puts side by side: commits, checkouts and environments.

`repository` turns names into commits, `checkouts` turns a commit into a folder, and
`environments` builds the environment of a folder. `diff` says what changed between two
commits, and `imported` proves which code a side really ran.
"""
