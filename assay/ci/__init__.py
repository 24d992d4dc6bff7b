"""What continuous integration needs: the comment on a pull request."""
