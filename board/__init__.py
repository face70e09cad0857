"""A page that shows a lab live, and a room of labs that report to it. docs/board.md."""
