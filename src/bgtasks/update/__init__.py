"""Bring a project to another version of the template, or to other answers, and keep what its user wrote.

    project    what lies in the directory, read as somebody else's input
    target     which version and which answers it goes to
    trees      files as values                merge   three trees to one, path by path
    git        texts, renames and patches     plan    everything that will be written, before anything is
    repository the user's own repository      apply   write it: all or nothing

Imports run from the bottom row of this list to the top; nothing but `git` and `repository` starts a process, and
nothing but `apply` writes into the project.
"""
