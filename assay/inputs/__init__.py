"""What people write, read and checked as a whole: a Plan comes of it."""
