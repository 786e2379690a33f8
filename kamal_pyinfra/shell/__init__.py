"""Values → shell text. Builders only spell commands; they run nothing and read no facts."""
