"""What is put side by side: commits, their checkouts and their environments.

`repository` turns names into commits, `checkouts` turns a commit into a folder, and
`environments` turns a folder into an interpreter with its packages. `diff` says what
changed between two commits, and `imported` proves which code a side really ran.
"""
