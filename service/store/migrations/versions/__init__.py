"""One module for each step, oldest first; a step that was released is never changed."""
